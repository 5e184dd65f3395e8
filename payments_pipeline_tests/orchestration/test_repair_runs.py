"""What a run about repairs leaves on its page: readable, and little enough to store, however many they are."""

import dagster as dg
import pytest

from payments_pipeline.remediation.planning import ActionView
from payments_pipeline.repair_runs import LOGGED, show


def shown(
    instance: dg.DagsterInstance, count: int, *, failed: int = 0, dry_run: bool = False
) -> tuple[list[str], dict[str, dg.MetadataValue]]:
    """Log lines and metadata of a run that made so many repairs."""
    effects = [{"what": "user 1", "field": "subscription_status", "before": "inactive", "after": "active"}]
    views = [
        ActionView(
            None if dry_run else number, number, "activate_subscription", {"user_id": str(number)}, effects,
            "verified" if number <= count - failed else "failed", None,
        )
        for number in range(1, count + 1)
    ]  # fmt: skip

    @dg.op(name="repair")
    def told(context: dg.OpExecutionContext) -> None:
        show(context, views, dry_run)

    @dg.job(name="repairs_shown")
    def run() -> None:
        told()

    result = run.execute_in_process(instance=instance)
    logs = instance.all_logs(result.run_id)
    lines = [entry.user_message for entry in logs if not entry.is_dagster_event]
    (output,) = [entry.dagster_event for entry in logs if entry.dagster_event_type is dg.DagsterEventType.STEP_OUTPUT]
    assert output is not None
    return lines, dict(output.step_output_data.metadata)


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def test_each_of_a_few_repairs_is_named_with_what_it_changes(instance: dg.DagsterInstance) -> None:
    lines, metadata = shown(instance, 2)
    assert [line.split(":")[0].strip() for line in lines] == ["now verified", "application"] * 2
    assert metadata["verified"].value == 2


def test_of_thousands_of_repairs_the_first_are_named_and_all_are_counted(instance: dg.DagsterInstance) -> None:
    lines, metadata = shown(instance, LOGGED + 1_900, failed=3)
    assert len(lines) == 2 * LOGGED + 1
    assert lines[-1] == (
        "and 1900 more. What to do: look at them with payments-pipeline actions list --state verified --limit 1997, "
        "payments-pipeline actions list --state failed --limit 3."
    )
    assert (metadata["verified"].value, metadata["failed"].value) == (1997, 3)


def test_a_rehearsal_of_many_repairs_names_no_command_that_would_not_find_them(instance: dg.DagsterInstance) -> None:
    lines, _ = shown(instance, LOGGED + 1, dry_run=True)
    assert lines[-1] == "and 1 more."
