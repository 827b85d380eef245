"""Deny by default: every frame says who may send it, and has a handler if somebody may."""

from rota.access.roles import ALL_ROLES
from rota.link.node_end import AFTER_REGISTER, FREE, FROM_NODE
from rota.transport.permits import PERMITS
from rota.transport.requests import CALLS
from rota.wire.v1.link_pb2 import Frame

KINDS = {field.name for field in Frame.DESCRIPTOR.oneofs_by_name["body"].fields}
WORK = {"register", *AFTER_REGISTER}


def test_every_frame_declares_who_may_send_it() -> None:
    assert set(PERMITS) | FREE == KINDS
    assert not set(PERMITS) & FREE


def test_nobody_may_send_what_only_a_node_says() -> None:
    assert {kind for kind, roles in PERMITS.items() if not roles} == FROM_NODE


def test_every_permitted_frame_is_served() -> None:
    assert {kind for kind, roles in PERMITS.items() if roles} == {*CALLS, *WORK, "unwait"}


def test_roles_are_known_ones() -> None:
    assert set().union(*PERMITS.values()) <= ALL_ROLES


def test_a_viewer_changes_nothing_and_a_client_is_no_worker() -> None:
    assert {kind for kind, roles in PERMITS.items() if "viewer" in roles} == {
        *(set(CALLS) - {"submit", "cancel", "retry"}),
        "unwait",
    }
    assert not {kind for kind, roles in PERMITS.items() if "client" in roles} & WORK
    assert {kind for kind, roles in PERMITS.items() if "worker" in roles} == WORK
