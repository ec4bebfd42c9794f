# SPDX-License-Identifier: Apache-2.0
"""Where the kind s3 takes its keys from: profile files, read as botocore reads them, and the metadata service of a machine."""
import json
import os
import re
import subprocess
import time
import urllib.parse

import botocore.exceptions
import botocore.session
import botocore.utils
import pytest

import imds
from command import TENON
from test_s3_retry import bucket  # noqa: F401, a fixture


def presign(folder, *settings, **env):
    words = [word for s in settings for word in ("--set", s)]
    return subprocess.run([TENON, "presign", "s3://bucket/key", "--json", *words], capture_output=True, cwd=folder,
                          env={"PATH": os.environ["PATH"], "HOME": str(folder), **env})


def url_of(done):
    return re.search(r"https://[^\s\"]+", done.stdout.decode())[0]


def signed_by(done):
    """Access key, session token and region of a presigned URL."""
    assert done.returncode == 0, done.stderr.decode()
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url_of(done)).query)
    key, _, region, *_ = query["X-Amz-Credential"][0].split("/")
    return key, query.get("X-Amz-Security-Token", [None])[0], region


def error_of(done):
    assert done.returncode != 0
    return json.loads(done.stdout)["error"]


def write(folder, credentials=None, config=None):
    (folder / ".aws").mkdir()
    if credentials is not None:
        (folder / ".aws/credentials").write_text(credentials)
    if config is not None:
        (folder / ".aws/config").write_text(config)


KEYS = "[{}]\naws_access_key_id = AK{}\naws_secret_access_key = sk\n"
FILES = {
    "default": (KEYS.format("default", 1) + "region = eu-west-1\n", None, "default"),
    "named": (KEYS.format("default", 1) + KEYS.format("dev", 2) + "aws_session_token=to/ken==\n", "[profile dev]\nregion = eu-central-1\n", "dev"),
    "in the config file": (None, KEYS.format("profile dev", 3) + "region=us-west-2\n", "dev"),
    "default in the config file": (None, KEYS.format("default", 4) + "region=us-west-2\n", "default"),
    "both files": (KEYS.format("dev", 5), KEYS.format("profile dev", 6) + "region=us-west-2\n", "dev"),
    "quotes": (None, KEYS.format('profile "my dev"', 7) + "region = us-west-2\n", "my dev"),
    "comments and blanks": ("# a\n; b\n\n[dev]   \n   \naws_access_key_id =   AK8  \naws_secret_access_key=sk\nregion = x-1\ns3 =\n  addressing_style = path\n"
                            "  max_concurrent_requests = 20\nother = [a]\n", None, "dev"),
    "windows": (KEYS.format("default", 9).replace("\n", "\r\n") + "region = r-1\r\n", None, "default"),
    "big letters": ("[dev]\nAWS_ACCESS_KEY_ID=AK10\nAws_Secret_Access_Key=sk\nREGION=r-1\n", None, "dev"),
    "an equals sign": ("[dev]\naws_access_key_id=AK11\naws_secret_access_key=a=b==\nregion=r-1\n", None, "dev"),
    "indented": ("[p]\n  aws_access_key_id = AK13\n\n  # c\n  aws_secret_access_key = sk\n  s3 =\n    region = zz\n  region = r-1\n", None, "p"),
    "tabs": ("[p]\n\taws_access_key_id\t=\tAK14\n\taws_secret_access_key\t=\tsk\n\tregion\t=\tr-1\n", None, "p"),
    "less and less": ("[p]\n    aws_access_key_id=AK15\n  aws_secret_access_key=sk\nregion=r-1\n", None, "p"),
    "words behind a section": ("[default] # mine\naws_access_key_id = AK16\naws_secret_access_key = sk\nregion=r-1\n", None, "default"),
    "colons": ("[p]\naws_access_key_id: AK17\naws_secret_access_key : s=k\nregion:r-1\n", None, "p"),
    "the older name": ("[p]\naws_access_key_id=AK18\naws_secret_access_key=sk\naws_session_token=new\naws_security_token=old\nregion=r-1\n", None, "p"),
    "the older name alone": (KEYS.format("p", 19) + "aws_security_token = old\nregion=r-1\n", None, "p"),
    "a program below": (KEYS.format("p", 20), "[profile p]\ncredential_process = echo\nregion=r-1\n", "p"),
    "regions": (KEYS.format("p", 21) + "region=r-1\n", KEYS.format("profile p", 22) + "aws_session_token=no\nregion=r-2\n", "p"),
    "a hash": ("[dev]\naws_access_key_id=AK12\naws_secret_access_key=a#b;c\nregion=r-1\n", None, "dev"),
}


@pytest.mark.parametrize("name", FILES)
def test_profiles_are_read_as_botocore_reads_them(tmp_path, name, monkeypatch):
    credentials, config, profile = FILES[name]
    write(tmp_path, credentials, config)
    for variable in [v for v in os.environ if v.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    theirs = botocore.session.Session(profile=profile)
    keys = theirs.get_credentials()
    done = presign(tmp_path, "credentials=profile", f"profile={profile}")
    assert signed_by(done) == (keys.access_key, keys.token, theirs.get_config_variable("region"))
    # the secret is theirs, too
    url = url_of(done)
    date = re.search(r"X-Amz-Date=(\w+)", url)[1]
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    import datetime
    import unittest.mock
    when = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    request = AWSRequest("GET", url.split("?")[0])
    with unittest.mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: when.replace(tzinfo=None), create=True), \
            unittest.mock.patch("botocore.auth.datetime", unittest.mock.Mock(**{"datetime.utcnow.return_value": when.replace(tzinfo=None)}), create=True):
        S3SigV4QueryAuth(keys, "s3", theirs.get_config_variable("region"),
                         expires=int(re.search(r"X-Amz-Expires=(\d+)", url)[1])).add_auth(request)
    assert re.search("X-Amz-Signature=(.*)", request.url)[1] == re.search("X-Amz-Signature=([^&]*)", url)[1]


def test_parameters_and_variables_choose(tmp_path):
    write(tmp_path, KEYS.format("default", 1) + KEYS.format("dev", 2), "[profile dev]\nregion = r-1\n")
    (tmp_path / "other").write_text(KEYS.format("dev", 3))
    assert signed_by(presign(tmp_path, "credentials=profile", AWS_PROFILE="dev"))[0] == "AK2"
    assert signed_by(presign(tmp_path, "credentials=profile", "profile=dev", "region=r-2"))[2] == "r-2"
    assert signed_by(presign(tmp_path, "credentials=profile", "profile=dev", "region=r", AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "other")))[0] == "AK3"
    assert signed_by(presign(tmp_path, "credentials=profile", "profile=dev", "region=r", f"credentials_file={tmp_path}/other"))[0] == "AK3"


BAD = {
    "no profile": (KEYS.format("other", 1), None, "CONFIG", "there is no profile dev"),
    "no files": (None, None, "CONFIG", "there is no profile dev"),
    "half of the keys": ("[dev]\naws_access_key_id = AK1\n", None, "CONFIG", "has not both keys"),
    "no end": ("[dev\naws_access_key_id = AK1\n", None, "CONFIG", "line 1"),
    "no value": ("[dev]\naws_access_key_id\n", None, "CONFIG", "line 2"),
    "a section twice": (KEYS.format("dev", 1) + KEYS.format("dev", 2), None, "CONFIG", "line 4"),
    "a name twice": (KEYS.format("dev", 1) + "aws_access_key_id = AK2\n", None, "CONFIG", "line 4"),
    "a value of two lines": (KEYS.format("dev", 1) + "  more\n", None, "CONFIG", "line 4"),
    "a role below keys": (KEYS.format("dev", 1), "[profile dev]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = dev\n", "UNSUPPORTED", "role_arn"),
    "a NUL": ("[dev]\naws_access_key_id = A\0K\n", None, "CONFIG", "not a text"),
    "sso": (None, "[profile dev]\nsso_session = corp\n", "UNSUPPORTED", "sso_session"),
    "a role": (None, "[profile dev]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = default\n", "UNSUPPORTED", "role_arn"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_a_profile_is_said(tmp_path, name):
    credentials, config, code, message = BAD[name]
    write(tmp_path, credentials, config)
    error = error_of(presign(tmp_path, "credentials=profile", "profile=dev", "region=r"))
    assert error["code"] == code and message in error["message"], error
    assert error["remedy"]


@pytest.fixture
def metadata():
    service = imds.Service()
    yield service
    service.stop()


def test_a_machine_s_role_signs_as_it_does_for_botocore(tmp_path, metadata):
    theirs = botocore.utils.InstanceMetadataFetcher(base_url=metadata.url, num_attempts=1).retrieve_iam_role_credentials()
    assert theirs["role_name"] == metadata.role and theirs["access_key"] == "ASIA1"
    asked = metadata.asked[:]
    assert signed_by(presign(tmp_path, "credentials=instance", f"metadata_endpoint={metadata.url}", "region=r")) == ("ASIA2", "session/2+=", "r")
    assert metadata.asked[len(asked):] == asked


def test_a_container_s_role(tmp_path, metadata):
    theirs = botocore.utils.ContainerMetadataFetcher().retrieve_full_uri(metadata.url + metadata.container_path)
    assert theirs["AccessKeyId"] == "ASIA1"
    done = presign(tmp_path, "credentials=instance", f"metadata_endpoint={metadata.url}", "region=r",
                   AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=metadata.container_path)
    assert signed_by(done)[0] == "ASIA2"


def test_the_environment_alone_leads_to_no_metadata(tmp_path, metadata):
    done = presign(tmp_path, "region=r", AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url)
    assert error_of(done)["code"] == "CONFIG" and not metadata.asked


def test_a_strict_policy_keeps_it_away(tmp_path):
    began = time.monotonic()
    error = error_of(subprocess.run([TENON, "presign", "s3://bucket/key", "--json", "--set", "credentials=instance", "--set", "region=r",
                                     "--egress", "no-metadata"], capture_output=True, cwd=tmp_path))
    assert error["code"] == "FORBIDDEN" and "no-metadata" in error["remedy"] + error["message"], error
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("role", ["", "a/b", "x" * 300, "<html>"])
def test_a_role_is_not_a_path(tmp_path, metadata, role):
    metadata.role = role
    assert error_of(presign(tmp_path, "credentials=instance", f"metadata_endpoint={metadata.url}", "region=r"))["code"] == "DATA"


def test_keys_are_renewed_before_they_expire(bucket, metadata):  # noqa: F811
    """Pages that come slowly: the keys of the first ones are not good to the end."""
    signers = []
    metadata.valid_s = 1.5
    bucket.keys = [f"{i:05}" for i in range(5000)]

    def slowly(_, times):
        time.sleep(0.7)
    bucket.plan = slowly
    original = bucket.RequestHandlerClass.handle_one

    def note(handler):
        signers.append(re.search("Credential=([^/]*)", handler.headers["Authorization"])[1])
        original(handler)
    bucket.RequestHandlerClass.do_GET = note
    try:
        done = subprocess.run([TENON, "ls", "s3://bucket", "--objects", "--json", "--set", f"endpoint=http://127.0.0.1:{bucket.server_port}",
                               "--set", "region=r", "--set", "credentials=instance", "--set", f"metadata_endpoint={metadata.url}"], capture_output=True)
    finally:
        bucket.RequestHandlerClass.do_GET = original
    assert [o["key"] for o in json.loads(done.stdout)["result"]["objects"]] == bucket.keys
    assert len(set(signers)) >= 2 and signers == sorted(signers)
