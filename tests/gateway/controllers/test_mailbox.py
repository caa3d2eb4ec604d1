"""What waits for a controller: confirmations that join, messages in their order, and a bound on both."""

from gateway.controllers.frame import DOWN_MOST
from gateway.controllers.mailbox import MOST, Mail, Mailbox
from wire import stored

EPOCH, BIG = "9f3c21aa", 2**53 - 10_000


def told(mailbox):
    return stored.decode(mailbox.take().body)


def test_confirmations_join():
    mailbox = Mailbox()
    for ranges in ([[5, 7]], [[1, 1], [8, 9]], [[9, 12]], [[20, 21]], [[3, 3]], [[2, 2]]):
        mailbox.confirm(EPOCH, ranges)
    assert told(mailbox) == (EPOCH, [[1, 3], [5, 12], [20, 21]])
    assert mailbox.take() is None
    assert not mailbox


def test_another_epoch_replaces():
    mailbox = Mailbox()
    mailbox.confirm(EPOCH, [[1, 2]])
    mailbox.confirm("00000000", [[4, 4]])
    assert told(mailbox) == ("00000000", [[4, 4]])


def test_many_confirmations_fit_into_messages_that_a_controller_has_room_for():
    mailbox = Mailbox()
    wanted = [[BIG + 2 * index, BIG + 2 * index] for index in range(stored.MAX_RANGES)]
    mailbox.confirm(EPOCH, wanted)
    got = []
    while (mail := mailbox.take()) is not None:
        assert len(mail.body) <= DOWN_MOST
        got += stored.decode(mail.body)[1]
    assert got == wanted


def test_memory_is_bounded():
    mailbox = Mailbox()
    for index in range(20):
        mailbox.confirm(EPOCH, [[2000 * index + 2 * each + 1] * 2 for each in range(1000)])
    numbers = 0
    while (mail := mailbox.take()) is not None:
        numbers += len(stored.decode(mail.body)[1])
    assert numbers == stored.MAX_RANGES
    mail = Mail("chunk", b"x", lambda: None)
    assert [mailbox.put(mail) for _ in range(MOST + 1)] == [True] * MOST + [False]


def test_confirmations_go_first_and_messages_in_their_order():
    mailbox = Mailbox()
    for body in (b"1", b"2"):
        mailbox.put(Mail("command", body, lambda: None))
    mailbox.confirm(EPOCH, [[1, 1]])
    assert [mailbox.take().channel, mailbox.take().body, mailbox.take().body] == ["stored", b"1", b"2"]
