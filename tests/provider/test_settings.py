"""Which Omni a resource lives in, and the words for what is missing."""

from dataclasses import replace

import pytest

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.omni.client import connect
from ksail_pulumi.provider.settings import Settings

STACK = Settings(endpoint="https://stack", service_account_key="of-the-stack", ca_file="/stack.pem")
ENVIRONMENT = {
    "OMNI_ENDPOINT": "https://environment",
    "OMNI_SERVICE_ACCOUNT_KEY": "of-the-environment",
    "OMNI_CA_FILE": "/environment.pem",
    "WEST_KEY": "of-the-west",
}


def test_inputs_win_over_the_stack_and_the_stack_over_the_environment():
    own = STACK.connection({"endpoint": "https://own", "serviceAccountKeyEnvVar": "WEST_KEY"}, ENVIRONMENT)
    stack = STACK.connection({}, ENVIRONMENT)
    environment = Settings().connection({}, ENVIRONMENT)
    assert (own.endpoint, own.service_account_key, own.ca_file) == ("https://own", "of-the-west", "/stack.pem")
    assert (stack.endpoint, stack.service_account_key) == ("https://stack", "of-the-stack")
    assert (environment.endpoint, environment.service_account_key) == ("https://environment", "of-the-environment")
    assert environment.ca_file == "/environment.pem"


def test_the_key_of_sideros_own_tools_comes_first():
    both = {**ENVIRONMENT, "SIDERO_SERVICE_ACCOUNT_KEY": "of-sidero"}
    assert Settings().connection({}, both).service_account_key == "of-sidero"


@pytest.mark.parametrize(
    ("inputs", "variable"),
    [({}, "OMNI_SERVICE_ACCOUNT_KEY"), ({"serviceAccountKeyEnvVar": "MY_CUSTOM_OMNI_KEY"}, "MY_CUSTOM_OMNI_KEY")],
)
@pytest.mark.parametrize("value", [{}, {"OMNI_SERVICE_ACCOUNT_KEY": " ", "MY_CUSTOM_OMNI_KEY": ""}])
def test_a_missing_key_is_named(inputs, variable, value):
    with pytest.raises(SettingsError) as missing:
        Settings(endpoint="https://stack").connection(inputs, value)
    expected = f"omni service account key is not set: environment variable {variable} is not set"
    remedy = "create a service account in Omni: Settings → Service Accounts, role Operator"
    assert str(missing.value) == f"{expected} ({remedy})"


def test_a_key_that_was_named_is_not_replaced_by_another():
    with pytest.raises(SettingsError, match="environment variable EAST_KEY is not set"):
        STACK.connection({"serviceAccountKeyEnvVar": "EAST_KEY"}, ENVIRONMENT)


def test_a_missing_endpoint_is_said_before_a_missing_key():
    with pytest.raises(
        SettingsError, match=r"^omni endpoint is required: set the environment variable OMNI_ENDPOINT"
    ) as caught:
        Settings().connection({}, {})
    assert str(caught.value).endswith("the input `endpoint`, or spec.provider.omni.endpoint in ksail.yaml")


@pytest.mark.parametrize(
    ("settings", "inputs", "source"),
    [
        (Settings(endpoint="https://stack"), {}, "environment variable OMNI_SERVICE_ACCOUNT_KEY"),
        (Settings(endpoint="https://stack"), {"serviceAccountKeyEnvVar": "WEST_KEY"}, "environment variable WEST_KEY"),
        (STACK, {}, "the configuration omni:serviceAccountKey"),
    ],
)
def test_a_key_that_is_none_is_told_with_the_place_that_it_comes_from(settings, inputs, source):
    connection = replace(settings.connection(inputs, ENVIRONMENT), ca_file="")
    with pytest.raises(SettingsError, match=f"is not valid: it is not base64. Set {source} to the whole value"):
        connect(connection)


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("False", False), ("", False), ("1", True)])
def test_the_opt_out_of_tls_is_a_word(text, expected):
    settings = Settings(endpoint="https://stack", service_account_key="key", insecure_skip_tls_verify=text)
    assert settings.connection({}, {}).insecure_skip_tls_verify is expected


def test_another_word_for_the_opt_out_is_refused():
    settings = Settings(endpoint="https://stack", service_account_key="key", insecure_skip_tls_verify="sure")
    with pytest.raises(SettingsError, match="omni:insecureSkipTlsVerify should be true or false"):
        settings.connection({}, {})


def test_the_key_is_not_shown():
    assert "of-the" not in repr(STACK) + repr(STACK.connection({}, ENVIRONMENT))
