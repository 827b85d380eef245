"""Deny by default: every frame says who may send it, and has a handler if somebody may."""

from rota.access.roles import ALL_ROLES
from rota.link.node_end import AFTER_REGISTER, FREE, FROM_NODE
from rota.transport.permits import PERMITS
from rota.transport.requests import CALLS
from rota.wire.v1.link_pb2 import Frame

KINDS = {field.name for field in Frame.DESCRIPTOR.oneofs_by_name["body"].fields}
WORK = {"register", *AFTER_REGISTER}


FOR_OPERATORS = {"delete", "bulk", "set_control", "worker_command"}
FOR_ADMINS = {"list_tokens", "create_token", "rotate_token", "revoke_token", "read_audit"}


def test_what_concerns_everybody_is_for_operators_and_access_for_admins_alone() -> None:
    assert {kind for kind, roles in PERMITS.items() if roles == {"operator", "admin"}} == FOR_OPERATORS
    assert {kind for kind, roles in PERMITS.items() if roles == {"admin"}} == FOR_ADMINS


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
        *(set(CALLS) - {"submit", "cancel", "retry"} - FOR_OPERATORS - FOR_ADMINS),
        "unwait",
    }
    assert not {kind for kind, roles in PERMITS.items() if "client" in roles} & WORK
    assert {kind for kind, roles in PERMITS.items() if "worker" in roles} == WORK
