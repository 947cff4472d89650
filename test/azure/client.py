"""Drives the unmodified official Azure client (azure.mixedreality.remoterendering) through a session's whole life.

Usage: client.py READY_FILE STORAGE, with REQUESTS_CA_BUNDLE set to the service's CA. STORAGE is the URI of a container that the
service may use, with cube.obj and broken.obj in it. Prints one line for each step that held;
any mismatch is an AssertionError, and the exit status is 1.
"""

import json
import socket
import ssl
import sys
import time
import urllib.request

from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.mixedreality.remoterendering import (
    AssetConversionInputSettings,
    AssetConversionOutputSettings,
    AssetConversionStatus,
    RemoteRenderingClient,
    RenderingSessionSize,
    RenderingSessionStatus,
)

resolve = socket.getaddrinfo


def resolve_localhost(host, *args, **kwargs):
    """RFC 6761 section 6.3: names below localhost are loopback. glibc without systemd's module does not know."""
    if isinstance(host, str) and host.endswith(".localhost"):
        host = "127.0.0.1"
    return resolve(host, *args, **kwargs)


socket.getaddrinfo = resolve_localhost

with open(sys.argv[1], encoding="utf-8") as f:
    ready = json.load(f)

common = {
    "endpoint": ready["endpoint"],
    "account_id": ready["accountId"],
    "account_domain": ready["accountDomain"],
    "polling_interval": 0.1,
}


def refused(status, call):
    """Runs call, which the service must refuse with status, and returns the refusal."""
    try:
        call()
    except HttpResponseError as e:
        assert e.status_code == status, (e.status_code, status, e)
        return e
    raise AssertionError(f"accepted, want status {status}")


def live(client, session_id):
    return [s for s in client.list_rendering_sessions() if s.id == session_id]


def lifecycle(client, session_id):
    poller = client.begin_rendering_session(session_id, RenderingSessionSize.STANDARD, 20)
    token = poller.continuation_token()
    session = poller.result(timeout=30)
    assert poller.status() == RenderingSessionStatus.READY, poller.status()
    assert session.id == session_id and session.status == RenderingSessionStatus.READY
    assert session.size == RenderingSessionSize.STANDARD and session.lease_time_minutes == 20
    assert session.hostname and session.teraflops > 0 and session.error is None
    ports = {session.arr_inspector_port, session.handshake_port}
    assert len(ports) == 2 and all(49152 <= p <= 65534 for p in ports), ports
    assert session.created_on.tzinfo is not None
    print("begin: Ready")

    again = client.begin_rendering_session(session_id, RenderingSessionSize.STANDARD, 20).result(timeout=30)
    assert again.created_on == session.created_on
    conflict = refused(409, lambda: client.begin_rendering_session(session_id, RenderingSessionSize.STANDARD, 30))
    assert conflict.error.code == "Conflict", conflict.error
    print("begin again: same session, other settings conflict")

    got = client.get_rendering_session(session_id)
    assert got.as_dict() | {"elapsed_time_minutes": 0} == session.as_dict() | {"elapsed_time_minutes": 0}
    assert client.get_rendering_session_poller(continuation_token=token).result(timeout=30).id == session_id
    assert client.get_rendering_session_poller(session_id=session_id).result(timeout=30).id == session_id
    print("get: equal, pollers by token and by id")

    assert [s.as_dict() for s in live(client, session_id)] == [got.as_dict()]
    print("list: contains it")

    assert client.update_rendering_session(session_id, lease_time_minutes=40).lease_time_minutes == 40
    assert client.get_rendering_session(session_id).lease_time_minutes == 40
    refused(422, lambda: client.update_rendering_session(session_id, lease_time_minutes=40))
    print("update: lease 40, equal lease refused")

    assert client.stop_rendering_session(session_id) is None
    stopped = client.get_rendering_session(session_id)
    assert stopped.status == RenderingSessionStatus.STOPPED
    assert stopped.hostname is None and stopped.handshake_port is None and stopped.arr_inspector_port is None
    assert stopped.teraflops == session.teraflops
    assert live(client, session_id) == []
    client.stop_rendering_session(session_id)
    print("stop: Stopped, twice is no error")


def conversions(client, storage):
    def ask(conversion_id, asset, **output):
        return client.begin_asset_conversion(
            conversion_id,
            AssetConversionInputSettings(storage_container_uri=storage, relative_input_asset_path=asset),
            AssetConversionOutputSettings(storage_container_uri=storage, **output),
        )

    poller = ask("azure-cube", "cube.obj", blob_prefix="Output")
    token = poller.continuation_token()
    assert poller.status() == AssetConversionStatus.NOT_STARTED, poller.status()
    done = poller.result(timeout=60)
    assert done.status == AssetConversionStatus.SUCCEEDED and done.error is None, done
    assert done.output.asset_uri == storage + "/Output/cube.arrAsset", done.output
    assert done.settings.output_settings.blob_prefix == "Output/", done.settings.output_settings
    assert done.settings.output_settings.output_asset_filename == "cube.arrAsset"
    assert done.created_on.tzinfo is not None
    print("convert: Succeeded, settings normalised")

    again = ask("azure-cube", "cube.obj", blob_prefix="Output").result(timeout=60)
    assert again.created_on == done.created_on
    conflict = refused(409, lambda: ask("azure-cube", "cube.obj", blob_prefix="Other"))
    assert conflict.error.code == "Conflict", conflict.error
    print("convert again: same conversion, other settings conflict")

    assert client.get_asset_conversion("azure-cube").as_dict() == done.as_dict()
    assert client.get_asset_conversion_poller(continuation_token=token).result(timeout=60).id == "azure-cube"
    assert client.get_asset_conversion_poller(conversion_id="azure-cube").result(timeout=60).id == "azure-cube"
    refused(404, lambda: client.get_asset_conversion("azure-never-was"))
    print("get conversion: equal, pollers by token and by id")

    # As azure-sdk-for-python's own test_client.py asks it: words in the message of what the poller raises.
    for conversion_id, asset in (("azure-missing", "missing.obj"), ("azure-broken", "broken.obj")):
        try:
            ask(conversion_id, asset).result(timeout=60)
            raise AssertionError("no error")
        except HttpResponseError as e:
            text = e.error.message.lower()
            assert "invalid input" in text and "logs" in text, e.error
        assert client.get_asset_conversion(conversion_id).status == AssetConversionStatus.FAILED
    print("convert what is missing or broken: Failed, with the words that the client's tests want")

    try:
        client.begin_asset_conversion(
            "azure-unlinked",
            AssetConversionInputSettings(
                storage_container_uri="https://contosostorage01.blob.core.windows.net/in", relative_input_asset_path="box.fbx"
            ),
            AssetConversionOutputSettings(storage_container_uri="https://contosostorage01.blob.core.windows.net/out"),
        )
        raise AssertionError("no error")
    except HttpResponseError as e:
        assert e.status_code == 403, e
        assert "storage" in e.error.message.lower() and "permissions" in e.error.message.lower(), e.error
    print("convert without a signature: 403")

    ours = [c for c in client.list_asset_conversions() if c.id.startswith("azure-")]
    assert [c.id for c in ours] == ["azure-cube", "azure-missing", "azure-broken"], ours
    assert [c.status for c in ours] == [
        AssetConversionStatus.SUCCEEDED,
        AssetConversionStatus.FAILED,
        AssetConversionStatus.FAILED,
    ]
    print("list conversions: all, in order")


with RemoteRenderingClient(credential=AzureKeyCredential(ready["accountKey"]), **common) as by_key:
    lifecycle(by_key, "azure-by-key")

    negative = refused(400, lambda: by_key.begin_rendering_session("azure-bad", RenderingSessionSize.STANDARD, -4))
    assert negative.error.message == "The maxLeaseTimeMinutes value cannot be negative.", negative.error
    size = refused(400, lambda: by_key.begin_rendering_session("azure-bad", "Tiny", 4))
    assert size.error.message == "Can't specify this VM size: Tiny", size.error
    refused(404, lambda: by_key.get_rendering_session("azure-never-was"))
    print("mistakes: 400, 400, 404 with their messages")
    conversions(by_key, sys.argv[2])

# A token that the caller got elsewhere, here from the token service itself.
request = urllib.request.Request(
    f"{ready['sts']}/accounts/{ready['accountId']}/token",
    headers={"Authorization": f"Bearer {ready['accountId']}:{ready['accountKey']}"},
)
with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ready["caFile"])) as answer:
    jwt = json.load(answer)["AccessToken"]
with RemoteRenderingClient(credential=AccessToken(jwt, int(time.time()) + 86400), **common) as by_token:
    lifecycle(by_token, "azure-by-token")
print("static token: ok")

# The explicit token endpoint, for a service whose token service is not at sts.<accountDomain>.
with RemoteRenderingClient(credential=AzureKeyCredential(ready["accountKey"]), authentication_endpoint_url=ready["sts"], **common) as c:
    assert live(c, "azure-by-key") == []
print("explicit token endpoint: ok")

with RemoteRenderingClient(credential=AzureKeyCredential("d3Jvbmc="), **common) as wrong:
    refused(401, lambda: wrong.get_rendering_session("azure-by-key"))
print("wrong key: 401")
