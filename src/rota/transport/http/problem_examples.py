"""For each status of a refusal, one that is told: its code, and its sentence."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[int, tuple[str, str]] = {
    400: ("invalid_json", "expecting value, at line 2, column 7 of the body"),
    401: ("not_authenticated", "a valid token is needed: send it as `Authorization: Bearer TOKEN` (ROTA_TOKEN)"),
    403: ("forbidden", "this needs one of the roles admin, operator; this token has viewer"),
    404: ("task_not_found", "no task 01a1ffcb-863b-7300-a76b-2ea581288935: it was never accepted here, or is gone"),
    409: ("already_finished", "the task has already succeeded"),
    413: ("body_too_large", "the body is over 1114112 bytes, which is as much as is taken here"),
    415: ("unsupported_media_type", "Content-Type: must be application/json (in UTF-8), not 'text/plain'"),
    421: ("foreign_host", "this node is not called by that name: call it by its own"),
    422: ("out_of_range", "priority: must be a whole number from -9 to 9, not 1000000"),
    429: ("queue_full", "10000000 tasks have not ended; the limit is 10000000 (setting max_queued)"),
    500: ("internal", "the node failed at this; its log says why"),
    503: ("store_unavailable", "the store cannot be written now: come again in a second"),
    507: ("store_full", "the disk of the store is full: nothing was accepted"),
}
