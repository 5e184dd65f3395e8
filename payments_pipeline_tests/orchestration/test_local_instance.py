"""The instance in memory knows of its assets what Dagster's own ephemeral one knows, after whatever happened."""

from __future__ import annotations

import dagster as dg

from payments_pipeline.local_instance import in_memory

FIRST, SECOND, NEVER = (dg.AssetKey(name) for name in ("first", "second", "never"))


@dg.asset
def first() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 1})


@dg.asset(deps=[first])
def second() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 2})


def known(instance: dg.DagsterInstance, runs: list[str]) -> list[tuple[str, int, int | None]]:
    """Asset, the number of the run that was last to make it, and which of the instance's events that was."""
    entries = [record.asset_entry for record in instance.get_asset_records([SECOND, NEVER, FIRST])]
    return [
        (one.asset_key.to_user_string(), runs.index(one.last_run_id or ""), one.last_materialization_storage_id)
        for one in entries
    ]


def lived(instance: dg.DagsterInstance) -> list[object]:
    """What was known after each of: nothing, a run of both, of one, of both; a wiped asset, a deleted run."""
    runs: list[str] = []
    told: list[object] = [known(instance, runs)]
    for assets in ([first, second], [first], [first, second]):
        runs.append(dg.materialize(assets, instance=instance).run_id)
        told.append(known(instance, runs))
        event = instance.get_latest_materialization_event(SECOND)
        made = event.asset_materialization if event else None
        assert made is not None
        assert made.tags is not None
        told.append({tag: value for tag, value in made.tags.items() if "event_pointer" in tag})
    instance.wipe_assets([SECOND])
    told.append(known(instance, runs))
    instance.delete_run(runs[-1])
    told.append(known(instance, runs))
    return told


def test_it_remembers_of_assets_what_an_ephemeral_instance_reads() -> None:
    with in_memory() as ours, dg.DagsterInstance.ephemeral() as theirs:
        assert lived(ours) == lived(theirs)
