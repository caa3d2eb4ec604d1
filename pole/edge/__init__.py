"""`pole edge …`: builds, measures, installs and updates what runs on pole controllers."""
