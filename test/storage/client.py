"""Has the unmodified official Azure client convert what is in Azure Blob storage.

Usage: client.py FILE, with REQUESTS_CA_BUNDLE set to the service's CA. The JSON file has "ready" (how to reach the service),
"input" and "output" (URIs of containers) and "sas" (signatures by name). Prints one line for each step that held; any
mismatch is an AssertionError, and the exit status is 1.
"""

import json
import socket
import sys

from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.mixedreality.remoterendering import (
    AssetConversionInputSettings,
    AssetConversionOutputSettings,
    AssetConversionStatus,
    RemoteRenderingClient,
)

resolve = socket.getaddrinfo


def resolve_localhost(host, *args, **kwargs):
    """RFC 6761 section 6.3: names below localhost are loopback. glibc without systemd's module does not know."""
    if isinstance(host, str) and host.endswith(".localhost"):
        host = "127.0.0.1"
    return resolve(host, *args, **kwargs)


socket.getaddrinfo = resolve_localhost

with open(sys.argv[1], encoding="utf-8") as f:
    given = json.load(f)
ready, sas = given["ready"], given["sas"]

client = RemoteRenderingClient(
    endpoint=ready["endpoint"],
    account_id=ready["accountId"],
    account_domain=ready["accountDomain"],
    credential=AzureKeyCredential(ready["accountKey"]),
    polling_interval=0.1,
)


def convert(conversion_id, read, write, asset="Avocado.gltf", prefix="Output"):
    return client.begin_asset_conversion(
        conversion_id,
        AssetConversionInputSettings(
            storage_container_uri=given["input"],
            blob_prefix="models & more/Avocado #1",
            relative_input_asset_path=asset,
            storage_container_read_list_sas=read,
        ),
        AssetConversionOutputSettings(storage_container_uri=given["output"], blob_prefix=prefix, storage_container_write_sas=write),
    )


def failed(conversion_id, read, write, asset="Avocado.gltf"):
    """Returns the error of a conversion that is accepted and then fails."""
    poller = convert(conversion_id, read, write, asset, "Failed")
    try:
        poller.result(timeout=60)
    except HttpResponseError:
        pass  # what the poller makes of it is its own affair
    conversion = client.get_asset_conversion(conversion_id)
    assert conversion.status == AssetConversionStatus.FAILED, conversion
    assert conversion.output is None
    return conversion.error


done = convert("avocado", "?" + sas["read"], sas["write"]).result(timeout=120)
assert done.status == AssetConversionStatus.SUCCEEDED and done.error is None, done
assert done.output.asset_uri == given["output"] + "/Output/Avocado.arrAsset", done.output
settings = done.settings
assert settings.input_settings.blob_prefix == "models & more/Avocado #1/", settings.input_settings
assert settings.input_settings.storage_container_read_list_sas is None
assert settings.output_settings.storage_container_write_sas is None
assert "sig=" not in str(done.as_dict())
print("convert: Succeeded, no signature in it")

# Signatures are not settings: another one is the same conversion (contract section 5).
again = convert("avocado", sas["readToo"], "?" + sas["write"]).result(timeout=60)
assert again.created_on == done.created_on
print("convert again with other signatures: the same conversion")

for read, write in ((None, sas["write"]), (sas["read"], None)):
    try:
        convert("unlinked", read, write)
        raise AssertionError("accepted without a signature")
    except HttpResponseError as e:
        assert e.status_code == 403 and e.error.code == "DelegatedResourceAccessError", e
        assert "insufficient permissions" in e.error.message and "Mixed Reality" in e.error.message, e
print("without a signature: 403 DelegatedResourceAccessError")

error = failed("missing", sas["read"], sas["write"], "not here.gltf")
assert error.code == "InputContainerError" and "Could not find the asset file in the storage account" in error.message, error
print("missing asset: InputContainerError")

error = failed("expired", sas["expired"], sas["write"])
assert error.code == "InputContainerError" and "expired at" in error.message, error
print("expired signature: InputContainerError")

error = failed("read-only", sas["read"], sas["readOutput"])
assert error.code == "OutputContainerError" and "grants write" in error.message, error
print("output not writable: OutputContainerError")

assert {"avocado", "missing", "expired", "read-only"} <= {c.id for c in client.list_asset_conversions()}
assert "sig=" not in str([c.as_dict() for c in client.list_asset_conversions()])
print("list: all of them, no signature")
