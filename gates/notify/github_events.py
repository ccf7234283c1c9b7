"""The events of GitHub's webhooks and what of them starts something (GitHub, "Webhook events and payloads").

The names are also what is counted: whoever sends an event chooses its name, so one that is not here counts as "other".
"""

from collections.abc import Mapping

OTHER = "other"

# What `ci` follows, by event. A pull request is `edited` for its title as well: only another base counts.
FOLLOWED: Mapping[str, frozenset[str]] = {
    "pull_request": frozenset({"opened", "synchronize", "reopened", "ready_for_review", "edited"}),
    "merge_group": frozenset({"checks_requested"}),
}

# Actions from which nothing follows, of the events that we read.
_PASSED_OVER: Mapping[str, frozenset[str]] = {
    "pull_request": frozenset(
        "assigned auto_merge_disabled auto_merge_enabled closed converted_to_draft demilestoned dequeued edited"
        " enqueued labeled locked milestoned review_request_removed review_requested unassigned unlabeled"
        " unlocked".split()
    ),
    "merge_group": frozenset({"destroyed"}),
    "push": frozenset({"deleted", "tag", "note"}),  # GitHub gives a push no action: these are ours
}

_EVENTS = frozenset(
    "branch_protection_configuration branch_protection_rule check_run check_suite code_scanning_alert"
    " commit_comment create custom_property custom_property_values delete dependabot_alert deploy_key deployment"
    " deployment_protection_rule deployment_review deployment_status discussion discussion_comment fork"
    " github_app_authorization gollum installation installation_repositories installation_target issue_comment"
    " issue_dependencies issues label marketplace_purchase member membership merge_group meta milestone org_block"
    " organization package page_build personal_access_token_request ping project project_card project_column"
    " projects_v2 projects_v2_item projects_v2_status_update public pull_request pull_request_review"
    " pull_request_review_comment pull_request_review_thread push registry_package release repository"
    " repository_advisory repository_dispatch repository_import repository_ruleset repository_vulnerability_alert"
    " secret_scanning_alert secret_scanning_alert_location secret_scanning_scan security_advisory"
    " security_and_analysis sponsorship star status sub_issues team team_add watch workflow_dispatch workflow_job"
    " workflow_run".split()
)


def counted_as(event: str, action: str | None = None) -> str:
    """Return the name under which an event from which nothing follows is counted: one of a list that has an end."""
    if event not in _EVENTS:
        return OTHER
    if action is None:
        return event
    return f"{event}.{action if action in _PASSED_OVER.get(event, ()) else OTHER}"
