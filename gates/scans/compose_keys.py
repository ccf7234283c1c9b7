"""The keys of a compose file that the policy knows; any other one is named: nobody can tell what it gives a service."""

from collections.abc import Iterator, Mapping
from typing import Any

from gates.scans.compose_reach import mapping

TOP = frozenset("configs include models name networks secrets services version volumes".split())
SERVICE = frozenset(
    """annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name
    cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset
    credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname
    entrypoint env_file environment expose extends external_links extra_hosts gpus group_add healthcheck
    hostname image init ipc isolation label_file labels links logging mac_address mem_limit mem_reservation
    mem_swappiness memswap_limit models network_mode networks oom_kill_disable oom_score_adj pid pids_limit
    platform ports post_start pre_stop privileged profiles provider pull_policy pull_refresh_after read_only
    restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt
    sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir""".split()
)
DEPLOY = frozenset(
    "endpoint_mode labels mode placement replicas resources restart_policy rollback_config update_config".split()
)
RESOURCES = frozenset(("limits", "reservations"))
LIMITS = frozenset(("cpus", "memory", "pids"))
RESERVATIONS = LIMITS | {"devices", "generic_resources"}
HEALTHCHECK = frozenset("disable interval retries start_interval start_period test timeout".split())
LOGGING = frozenset(("driver", "options"))
BUILD = frozenset(
    """additional_contexts args cache_from cache_to context dockerfile dockerfile_inline entitlements extra_hosts
    isolation labels network no_cache no_cache_filter platforms privileged provenance pull sbom secrets shm_size
    ssh tags target ulimits""".split()
)


def unknown_top(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a whole file that nobody knows."""
    yield from _others(document, TOP, "")


def unknown(service: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a service that nobody knows, with those of its parts."""
    deploy = mapping(service.get("deploy"))
    resources = mapping(deploy.get("resources"))
    yield from _others(service, SERVICE, "")
    yield from _others(deploy, DEPLOY, "deploy.")
    yield from _others(resources, RESOURCES, "deploy.resources.")
    yield from _others(mapping(resources.get("limits")), LIMITS, "deploy.resources.limits.")
    yield from _others(mapping(resources.get("reservations")), RESERVATIONS, "deploy.resources.reservations.")
    yield from _others(mapping(service.get("healthcheck")), HEALTHCHECK, "healthcheck.")
    yield from _others(mapping(service.get("logging")), LOGGING, "logging.")
    yield from _others(mapping(service.get("build")), BUILD, "build.")


def _others(given: Mapping[Any, Any], known: frozenset[str], before: str) -> Iterator[str]:
    return (f"{before}{str(key)[:60]}" for key in given if key not in known and not str(key).startswith("x-"))
