"""Scheduled pipelines, run by systemd or cron."""
