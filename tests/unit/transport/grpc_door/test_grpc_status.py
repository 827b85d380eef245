"""One table for errors, and one for the ends of links; what does not fit into trailers is cut."""

import grpc
import pytest

from rota.link.codes import Close
from rota.model.errors import Conflict, Fault, InvalidInput, Overloaded, Unavailable
from rota.transport.grpc_status import ENDS, end_of, end_of_link
from rota.wire.codec_refusal import KINDS, look_of
from rota.wire.v1 import status_pb2


def test_every_close_code_has_a_status() -> None:
    assert set(ENDS) == set(Close)
    assert {code for code in Close if end_of_link(code, "").status is grpc.StatusCode.OK} == {Close.NORMAL}


def test_a_close_code_that_is_not_ours_is_a_broken_stream() -> None:
    assert end_of_link(3000, "?").status is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("code", sorted(KINDS))
def test_every_stable_code_travels_with_the_status_of_its_kind(code: str) -> None:
    error = KINDS[code]("a sentence", code=code)
    end = end_of(error)
    assert end.status.name == look_of(error).grpc
    assert dict(end.trailers)["rota-code"] == code


def test_faults_and_the_time_to_come_again_are_in_the_details() -> None:
    details = status_pb2.RpcStatus.FromString(dict(end_of(Unavailable("away")).trailers)["grpc-status-details-bin"])
    [retry] = [each for each in details.details if each.type_url.endswith("google.rpc.RetryInfo")]
    assert status_pb2.RetryInfo.FromString(retry.value).retry_delay.seconds == 1
    assert end_of(Overloaded("full", code="queue_full")).status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert end_of(Conflict("so")).status is grpc.StatusCode.FAILED_PRECONDITION


def test_trailers_stay_small_however_much_is_wrong() -> None:
    faults = [Fault(f"tasks[{n}].method", "invalid_name", "名" * 5_000) for n in range(1_000)]
    end = end_of(InvalidInput.all_of(faults))
    trailers = dict(end.trailers)
    in_base64 = len(trailers["grpc-status-details-bin"]) * 4 / 3
    assert in_base64 + 3 * len(end.text.encode()) + len(trailers["rota-code"]) < 7_500


def test_the_text_of_a_bug_stays_inside() -> None:
    end = end_of(KeyError("a secret"))
    assert end.status is grpc.StatusCode.INTERNAL
    assert "secret" not in repr(end)
