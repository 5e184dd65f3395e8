"""What must be true of the raw tables and the certificates at every moment of a history, and at its end.

Belongs here: the comparison of what is stored with the log of what was. Does not belong here: making either.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from psycopg import sql
from sqlalchemy import Engine, text

from payments_pipeline.db.engine import driver_connection
from payments_pipeline_tests.ingest.history_log import Row, Version, World, at_time
from payments_pipeline_tests.ingest.history_runs import Runs

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Stored:
    """A raw row: the resource's own columns, whether it is marked as vanished, and the provider's words beside it."""

    row: Row
    vanished: bool
    body: str | None

    def shows(self, version: Version) -> bool:
        """Whether this is what a reading of that state leaves."""
        if version.gone:
            return self.vanished
        return not self.vanished and (self.row, self.body) == (version.row, version.body)


class Judge:
    """Compares after each step; remembers what was seen stored, because that may only become newer.

    Raises:
        AssertionError: a promise is broken; the message names the object and its states.
    """

    def __init__(self, engine: Engine, world: World, runs: Runs, requests: list[Any]) -> None:
        self._engine, self._world, self._runs, self._requests = engine, world, runs, requests
        self._account = world.account
        self._newest: dict[Key, int] = {}
        self._certificate = 0
        self._request = 0

    def check(self) -> None:
        """Nothing older than before is stored, nothing was dropped, and no new certificate says more than was read."""
        stored = self._stored()
        self._never_older(stored)
        certificates = self._new_certificates()
        for one in certificates:
            if one["complete"]:
                self._claims_only_what_was_read(one, stored)
            else:
                assert one["error"], f"{one} does not say why it is incomplete"
        self._was_asked_for(certificates)

    def settled(self) -> None:
        """The tables are as the provider is."""
        stored = self._stored()
        for resource, object_id, versions in self._world.versions():
            now, found = versions[-1], stored.get((resource, object_id))
            told = f"{resource} {object_id}\n  provider: {now}\n  stored: {found}"
            if now.gone:
                assert found is None or found.vanished, told
                continue
            assert found is not None, told
            assert found.shows(now), told
        assert not self._rejected(), "what can be read again still stands aside"
        assert stored.keys() <= {(resource, object_id) for resource, object_id, _ in self._world.versions()}

    def certificates(self) -> list[Mapping[str, Any]]:
        """All of this account, oldest first."""
        return self._certificates_since(0)

    def _never_older(self, stored: Mapping[Key, Stored]) -> None:
        for resource, object_id, versions in self._world.versions():
            key = (resource, object_id)
            before = self._newest.get(key)
            found = stored.get(key)
            if found is None:
                assert before is None, f"{resource} {object_id} was stored and is dropped"
                continue
            first = 0 if before is None else max(0, at_time(versions, versions[before].at - self._runs.tolerance))
            shown = self._shown(versions, found, first)
            assert shown is not None, self._story(key, found, "is older than what was stored, or never was", first)
            self._newest[key] = shown

    def _claims_only_what_was_read(self, certificate: Mapping[str, Any], stored: Mapping[Key, Stored]) -> None:
        """What the certificate's window held when its fetch began is stored as it was then, or newer."""
        skew = self._runs.skews[certificate["run_id"]]
        began = certificate["started_at"] - skew - self._runs.tolerance
        doubted = self._rejected() if certificate["rejected"] else ()
        for resource, object_id, versions in self._world.versions():
            if not self._speaks_of(certificate, resource, object_id, versions[0]):
                continue
            place = at_time(versions, began)
            if place < 0:
                continue
            key = (resource, object_id)
            if key in doubted:
                continue  # named as unreadable: the certificate does not speak of it
            if key not in stored:
                may_be_absent = any(version.gone for version in versions[place:])
                assert may_be_absent, f"{certificate}\nclaims {resource} {object_id}, which is not stored: {versions}"
                continue
            first = max(place, self._newest[key])
            shown = self._shown(versions, stored[key], first)
            assert shown is not None, self._story(key, stored[key], f"is claimed by {dict(certificate)}", first)
            self._newest[key] = shown

    @staticmethod
    def _shown(versions: list[Version], found: Stored, first: int) -> int | None:
        """The earliest state from `first` on that is stored; objects may come back to an earlier one."""
        return next((place for place in range(first, len(versions)) if found.shows(versions[place])), None)

    def _speaks_of(self, certificate: Mapping[str, Any], resource: str, object_id: str, first: Version) -> bool:
        if certificate["resource"] != resource:
            return False
        if certificate["mode"] == "reread":
            asked = self._runs.reread.get(certificate["run_id"])
            return asked is not None and asked == (resource, asked[1]) and object_id in asked[1]
        return bool(certificate["window_from"] <= self._world.created(first) < certificate["window_to"])

    def _was_asked_for(self, certificates: list[Mapping[str, Any]]) -> None:
        """Every page that complete certificates count was asked for, and answered, since the last check."""
        if not self._world.listed_at:
            return
        answered = Counter(self._answered_lists())
        claimed: Counter[tuple[str, int, int]] = Counter()
        for one in certificates:
            if one["complete"] and one["mode"] != "reread":
                claimed[one["resource"], _up(one["window_from"]), _up(one["window_to"])] += one["pages"]
        for listing, pages in claimed.items():
            assert answered[listing] >= pages > 0, f"{pages} pages of {listing} are claimed, {answered[listing]} served"

    def _answered_lists(self) -> Iterator[tuple[str, int, int]]:
        requests, self._request = self._requests[self._request :], len(self._requests)
        paths = self._world.listed_at
        for request in requests:
            query = parse_qs(request.query)
            if request.status == 200 and request.path in paths and "created[gte]" in query:
                yield paths[request.path], int(query["created[gte]"][0]), int(query["created[lt]"][0])

    def _story(self, key: Key, found: Stored, trouble: str, first: int) -> str:
        versions = self._world.log[key[0]][key[1]]
        lines = [
            f"  {place}: {version.at:%d %H:%M:%S.%f} {version.row} gone={version.gone}"
            for place, version in enumerate(versions)
        ]
        return "\n".join([f"{key} {trouble} (from {first} on)", f"  stored: {found}", *lines])

    def _new_certificates(self) -> list[Mapping[str, Any]]:
        found = self._certificates_since(self._certificate)
        self._certificate = max((one["coverage_id"] for one in found), default=self._certificate)
        return found

    def _certificates_since(self, number: int) -> list[Mapping[str, Any]]:
        statement = text(
            "SELECT * FROM recon.coverage WHERE account = :account AND coverage_id > :number ORDER BY coverage_id"
        )
        with self._engine.connect() as connection:
            names = {"account": self._account, "number": number}
            return [dict(row) for row in connection.execute(statement, names).mappings()]

    def _rejected(self) -> set[Key]:
        statement = text("SELECT resource, object_id FROM recon.rejected_objects WHERE account = :account")
        with self._engine.connect() as connection:
            return {(row.resource, row.object_id) for row in connection.execute(statement, {"account": self._account})}

    def _stored(self) -> dict[Key, Stored]:
        found: dict[Key, Stored] = {}
        with self._engine.connect() as connection:
            driver = driver_connection(connection)
            for name in self._world.resources:
                spec = self._world.spec(name)
                statement = sql.SQL(
                    "SELECT {columns}, t.vanished_at IS NOT NULL, r.body::text FROM {table} AS t"
                    " LEFT JOIN recon.raw_json AS r ON r.provider = {provider} AND r.account = t.account"
                    " AND r.resource = {name} AND r.object_id = t.object_id WHERE t.account = %s"
                ).format(
                    columns=sql.SQL(", ").join(sql.Identifier("t", column) for column in spec.columns),
                    table=sql.Identifier("recon", spec.table),
                    provider=sql.Literal(self._world.provider),
                    name=sql.Literal(name),
                )
                for *row, vanished, body in driver.execute(statement, [self._account]):
                    found[name, row[0]] = Stored(tuple(row), vanished, body)
        return found


def _up(moment: datetime) -> int:
    return math.ceil(moment.timestamp())
