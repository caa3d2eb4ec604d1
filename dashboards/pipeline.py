"""The pipeline itself: what ingest receives, writes, waits for and refuses, by its own metrics."""

from dashboards import grid, promql
from dashboards.panels import Json, graph, measured, numbers

SHARES = (0.5, 0.95, 0.99)
SMALL = (4, 4)  # six large numbers in a line
QUARTER = (6, grid.HEIGHT)


def pipeline() -> Json:
    """The dashboard, as Grafana's JSON."""
    sections = [
        ("Ingest 数据接入", _now(), False),
        ("From broker to database 从消息代理到数据库", _flow(), False),
        ("Waits 等待", _waits(), False),
        ("Refusals 拒绝", _refusals(), False),
        ("Nodes 节点", _nodes(), False),
        ("Processes 进程", _processes(), True),
    ]
    return grid.dashboard("pipeline", "Multipole pipeline 多功能杆数据链路", sections, [])


def _now() -> list[Json]:
    large = (
        ("Readings stored 入库读数", promql.rate("readings_stored"), "cps"),
        ("Packs stored 入库数据包", promql.rate("packs_stored"), "cps"),
        ("Latency, 99 % 入库时延", promql.quantile(0.99, "latency_seconds"), "s"),
        ("Age of the newest reading 最新读数时龄", promql.age("newest_reading_timestamp_seconds"), "s"),
        ("Parts waited for 等待的部件", promql.total("waiting"), "none"),
        ("Nodes online 在线节点", promql.largest("nodes_online"), "none"),
    )
    return [grid.sized(numbers(title, [measured(query)], unit=unit), *SMALL) for title, query, unit in large]


def _flow() -> list[Json]:
    rates = [
        measured(promql.rate("messages_received"), "received 接收"),
        measured(promql.rate("packs_stored"), "packs stored 入库"),
    ]
    writes = [
        measured(promql.total("writes_in_flight"), "in flight 进行中"),
        measured(promql.total("writes_in_flight_most"), "at most 上限"),
    ]
    return [
        graph("Messages 消息", rates, unit="cps"),
        graph("From reading to database 入库时延", _shares("latency_seconds"), unit="s"),
        graph("Time of one write 单次写入时间", _shares("store_seconds"), unit="s"),
        graph("Readings in one write 单次写入读数", _shares("batch_readings"), unit="none"),
        graph("Window used 窗口占用", [measured(promql.share("under_way", "window"), "used 占用")], unit="percentunit"),
        graph("Writes at once 并行写入", writes, unit="none"),
    ]


def _waits() -> list[Json]:
    waits = [measured(promql.rate("waiting_seconds", by="part"), "{{part}}")]
    held = [measured(promql.total("messages_at", by="part"), "{{part}}")]
    repeated = [
        measured(promql.rate("store_failures", times=60), "writes repeated 重写"),
        measured(promql.rate("broker_connections", times=60), "connections to the broker 连接"),
        measured(promql.rate("stored_unsent", times=60), "confirmations not sent 未发确认"),
    ]
    return [
        graph("Share of time waited for 等待时间占比", waits, unit="percentunit"),
        graph("Messages by what they wait for 消息等待处", held, unit="none", stacked=True),
        graph("Repeated in a minute 每分钟重试", repeated, unit="cpm"),
    ]


def _refusals() -> list[Json]:
    every = [measured(promql.above_zero(promql.rate("refused", by="reason", times=60)), "{{reason}}")]
    explicable = [
        measured(promql.rate("refused", where='reason="not-yours"', times=60), "another node's 属于其他节点"),
        measured(promql.rate("refused", where='reason=~"unknown-.*"', times=60), "unknown 未登记"),
        measured(promql.rate("replayed", times=60), "stored later 补存"),
    ]
    letters = [
        measured(promql.largest("dead_letters_bytes"), "held 占用"),
        measured(promql.largest("dead_letters_bytes_most"), "at most 上限"),
    ]
    return [
        graph("Refused by reason 被拒绝", every, unit="cpm", stacked=True),
        graph("Unknown or another node's, and stored later 归属不明与补存", explicable, unit="cpm"),
        graph("Dead letters 死信", letters, unit="bytes"),
    ]


def _nodes() -> list[Json]:
    nodes = [
        measured(promql.largest("nodes"), "all 全部"),
        measured(promql.largest("nodes_online"), "online 在线"),
        measured(promql.largest("nodes_without_clock"), "without a clock 无时钟"),
    ]
    pending = [measured(promql.largest("nodes_pending_packs"), "pending 待传")]
    dropped = [measured(promql.largest("nodes_dropped_packs"), "dropped 丢弃")]
    unborn = [measured(promql.total("packs_without_birth"))]
    graphs = [
        graph("Nodes 节点", nodes, unit="none"),
        graph("Packs that wait in the nodes 节点待传数据包", pending, unit="none"),
        graph("Packs that nodes dropped 节点丢弃数据包", dropped, unit="none"),
        graph("Packs without a birth 缺少登记的数据包", unborn, unit="none"),
    ]
    return [grid.sized(each, *QUARTER) for each in graphs]


def _processes() -> list[Json]:
    return [
        graph("Processor cores used 处理器占用", [measured(promql.cpu(), "worker {{worker}}")], unit="none"),
        graph("Memory 内存", [measured(promql.memory(), "worker {{worker}}")], unit="bytes"),
    ]


def _shares(histogram: str) -> list[Json]:
    return [measured(promql.quantile(share, histogram), f"{share:.0%}") for share in SHARES]
