"""Dashboards, rules and provisioning for Grafana and Prometheus: files that are ready to mount."""
