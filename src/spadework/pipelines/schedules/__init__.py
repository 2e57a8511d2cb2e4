"""A pipeline at set times, by the machine's own systemd or cron."""
