"""What a program may pass as inputs, and what it is told where it may not."""

import asyncio
import datetime
import enum
import threading
from collections import OrderedDict, UserList

import pulumi
import pytest

from ksail_pulumi import MachineArgs, MachineConfig, OmniCluster, PatchArgs, WorkersArgs
from ksail_pulumi.errors import InputError
from ksail_pulumi.problems import InvalidCluster
from ksail_pulumi.provider.declaring import Marks, refuse_shapeless, refuse_unsendable, with_secrets
from ksail_pulumi.provider.spelling import to_wire

ID = "d2f1b8d6-5a3e-4c4e-9a7a-0c5a1b2c3d4e"
SECRET = "s3cret-value"
ROUND = {"a": 1}
ROUND["itself"] = ROUND


@pytest.fixture(params=[False, True], ids=["up", "preview"])
def mocked(request, loop):
    class Monitor(pulumi.runtime.Mocks):
        def new_resource(self, args):
            return ["id", dict(args.inputs)]

        def call(self, args):
            return {}

    pulumi.runtime.set_mocks(Monitor(), project="shop", stack="dev", organization="o", preview=request.param)


def refusal(**inputs):
    """What a program that declares a cluster with these inputs ends with."""
    with pytest.raises(pulumi.RunError) as caught:
        pulumi.runtime.test(lambda: OmniCluster("west", **inputs) and None)()
    assert isinstance(caught.value, InputError)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wrkers", "unknown field; did you mean workers?"),
        ("controlplane", "unknown field; did you mean controlPlane?"),
        ("nodes", "is an output, not an input"),
        ("ready", "is an output, not an input"),
        ("schema", "is an output, not an input"),
        ("phase", "is an output, not an input"),
        ("cluster_uuid", "is an output, not an input"),
        ("clusterUuid", "is an output, not an input"),
        ("kubeconfigOptions", "unknown field; did you mean kubeconfig?"),
        ("__owner", "unknown field; "),
        ("__pinned", "unknown field; "),
        ("__adopt", "unknown field; "),
        ("__marked", "unknown field; "),
        ("__provider", "unknown field; "),
        ("__anything", "unknown field; "),
    ],
)
def test_only_documented_inputs_are_accepted(mocked, name, reason):
    assert f"OmniCluster 'west': {name.replace('cluster_uuid', 'clusterUuid')}: {reason}" in refusal(**{name: SECRET})


def test_what_is_not_set_is_no_unknown_input(mocked):
    pulumi.runtime.test(lambda: OmniCluster("west", wrkers=None) and None)()


def test_all_unknown_inputs_are_told_at_once(mocked):
    assert refusal(nodes=[], wrkers=1).count("\n") == 1


class Plain(enum.Enum):
    A = SECRET


def refused(inputs):
    """What a program does with its inputs first."""
    refuse_shapeless(inputs)
    refuse_unsendable(to_wire(inputs))


UNSENDABLE = {
    "bytes": (b"s3cret-value", "cannot be a value of type bytes"),
    "bytearray": (bytearray(b"x"), "cannot be a value of type bytearray"),
    "set": ({SECRET}, "cannot be a value of type set"),
    "range": (range(3), "cannot be a value of type range"),
    "datetime": (datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "cannot be a value of type datetime"),
    "date": (datetime.date(2026, 1, 1), "cannot be a value of type date"),
    "function": (lambda: SECRET, "cannot be a value of type function"),
    "class": (dict, "cannot be a value of type type"),
    "lock": (threading.Lock(), "cannot be a value of type lock"),
    "enum": (Plain.A, "cannot be a value of type Plain"),
    "complex": (1j, "cannot be a value of type complex"),
    "nan": (float("nan"), "should be a finite number, not infinity or NaN"),
    "infinity": (float("inf"), "should be a finite number, not infinity or NaN"),
    "a huge number": (10**400, "is a number that Pulumi cannot send exactly"),
    "a number of 54 bits": (2**53 + 1, "is a number that Pulumi cannot send exactly"),
    "a negative one": (-(2**53) - 1, "is a number that Pulumi cannot send exactly"),
    "half a character": ("\ud800", "contains invalid characters (lone surrogates)"),
    "a number as key": ({1: SECRET}, "has a key of type int: keys should be strings"),
    "a cycle": (ROUND, "contains itself, or is nested more than 100 levels deep"),
}
PLACES = {
    "name": lambda value: {"name": value},
    "workers": lambda value: {"workers": value},
    "workers[0].machineClass.size": lambda value: {"workers": [{"machine_class": {"name": "a", "size": value}}]},
    'labels["a.b/c"]': lambda value: {"labels": {"a.b/c": value}},
    "patches[0].inline.machine": lambda value: {"patches": [{"name": "a", "inline": {"machine": value}}]},
    "workers[0].patches[0].inline[1].b": lambda value: {
        "workers": [WorkersArgs(patches=[PatchArgs(name="a", inline=[{}, {"b": value}])])]
    },
    "machines.m.kernelArgs[1]": lambda value: {"machines": {"m": MachineArgs(kernel_args=["a", value])}},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", UNSENDABLE)
def test_what_pulumi_cannot_send_is_refused_with_its_path(kind, place):
    value, reason = UNSENDABLE[kind]
    inputs = PLACES[place](value)
    with pytest.raises(InvalidCluster) as caught:
        refused(inputs)
    (problem,) = caught.value.problems
    inner = ".itself" if kind == "a cycle" else ""
    # What has no shape is found before it is spelled as on the wire.
    assert problem.field.replace("machine_class", "machineClass") == f"{place}{inner}"
    assert reason in problem.reason
    assert SECRET not in str(problem)


@pytest.mark.parametrize("place", ["workers", "labels", "patches"])
@pytest.mark.parametrize("kind", ["bytes", "set", "datetime", "function", "a cycle", "nan"])
def test_the_program_ends_with_it_whether_it_is_plain_or_in_an_output(mocked, kind, place):
    value, reason = UNSENDABLE[kind]
    made = {"workers": value, "labels": {"x": value}, "patches": [{"name": "p", "inline": {"a": value}}]}[place]
    plain = refusal(**{place: made})
    inside = refusal(**{place: pulumi.Output.from_input("x").apply(lambda _: made)})
    assert reason in plain
    assert plain.startswith(f"OmniCluster 'west': {place}")
    if kind != "a cycle":  # which our own spelling would follow
        assert inside == plain


def test_what_pulumi_can_send_is_left_alone(mocked):
    class Text(enum.StrEnum):
        A = "a"

    async def later():
        return "text"

    values = [
        "text",
        Text.A,
        1,
        1.5,
        True,
        None,
        [],
        (1, 2),
        UserList(["a"]),
        OrderedDict(a=1),
        pulumi.Output.from_input("a"),
    ]
    refuse_unsendable({"patches": [{"inline": {"values": values}}]})
    pulumi.runtime.test(lambda: OmniCluster("west", talos_version=later(), labels={"a": later()}) and None)()


def output(value, *, secret=False, known=True):
    def future(result):
        made = asyncio.get_event_loop().create_future()
        made.set_result(result)
        return made

    return pulumi.Output(set(), future(value), future(known), future(secret))


def marks(loop, **inputs):
    async def found():
        return await Marks(None, "west", to_wire(inputs))

    return loop.run_until_complete(found())


def hidden(value):
    return output(value, secret=True)


@pytest.mark.parametrize(
    ("inputs", "paths"),
    [
        (lambda: {"name": "a", "labels": {"a": "b"}}, None),
        (lambda: {"name": output("a"), "patches": output([{"inline": {"a": 1}}])}, None),
        (lambda: {"labels": {"a": hidden("x"), "b": "y"}}, [["labels", "a"]]),
        (lambda: {"patches": [{}, {"inline": hidden({"a": 1})}]}, [["patches", 1, "inline"]]),
        (lambda: {"patches": hidden([{"inline": {}}])}, [["patches"]]),
        (lambda: {"patches": [output({"inline": {"a": hidden("x")}})]}, [["patches", 0, "inline", "a"]]),
        (lambda: {"workers": [{"machine_class": {"name": hidden("x")}}]}, [["workers", 0, "machineClass", "name"]]),
        (lambda: {"control_plane": hidden({"count": 3})}, [["controlPlane"]]),
        (lambda: {"kubeconfig": hidden({"user": "x"})}, [["kubeconfig"]]),
        (lambda: {"machines": {ID: hidden({"locked": True})}}, [["machines", ID]]),
        (lambda: {"talos_version": output(None, secret=True, known=False)}, [["talosVersion"]]),
    ],
)
def test_the_paths_of_what_is_marked_as_secret_go_along(loop, inputs, paths):
    with_loop(loop)
    assert marks(loop, **inputs()) == paths


def test_the_password_of_a_source_is_always_marked(loop):
    """The program need not mark it."""
    with_loop(loop)

    def marks_of(source):
        return marks(loop, **with_secrets({"addons": {"gitOpsEngine": {"name": "flux", "source": source}}}))

    password = ["addons", "gitOpsEngine", "source", "password"]
    assert marks_of({"url": "https://a/b", "password": SECRET}) == [password]
    assert marks_of({"url": "https://a/b", "password": output(SECRET)}) == [password]
    assert marks_of(output({"url": "https://a/b", "password": SECRET})) == [password[:3]]
    assert marks_of({"url": "https://a/b"}) is None


def with_loop(loop):
    asyncio.set_event_loop(loop)


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        (lambda: {"name": hidden(SECRET)}, "name"),
        (lambda: {"name": output(None, secret=True, known=False)}, "name"),
        (lambda: {"endpoint": hidden(SECRET)}, "endpoint"),
        (lambda: {"control_plane": {"machines": [ID, hidden(ID)]}}, "controlPlane.machines[1]"),
        (lambda: {"control_plane": {"machines": hidden([ID])}}, "controlPlane.machines"),
        (lambda: {"control_plane": hidden({"machines": [ID]})}, "controlPlane"),
        (lambda: {"workers": [{"machines": [hidden(ID)]}]}, "workers[0].machines[0]"),
        (lambda: {"workers": [{"name": hidden(SECRET)}]}, "workers[0].name"),
        (lambda: {"workers": hidden([{"name": SECRET}])}, "workers"),
        (lambda: {"machines": hidden({ID: {"locked": True}})}, "machines"),
        (lambda: {"machines": output({ID: {}}, secret=True)}, "machines"),
        (lambda: {"kubeconfig": {"context": hidden(SECRET)}}, "kubeconfig.context"),
        (lambda: {"kubeconfig": hidden({"file": SECRET})}, "kubeconfig"),
    ],
)
def test_what_pulumi_keeps_in_plain_text_cannot_be_secret(loop, inputs, field):
    with_loop(loop)
    with pytest.raises(pulumi.RunError) as caught:
        marks(loop, **inputs())
    text = str(caught.value)
    why = "kubectl and messages show it" if "kubeconfig" in field else "Pulumi stores it in plain text"
    assert text.startswith(f"OmniCluster 'west': {field}: is marked as secret, and cannot be: {why}")
    assert SECRET not in text
    assert ID not in text


def test_marks_may_be_awaited_more_than_once_or_never(loop):
    with_loop(loop)
    found = Marks(None, "west", {"labels": {"a": hidden("x")}})

    async def twice():
        return [await found, await found]

    assert loop.run_until_complete(twice()) == [[["labels", "a"]]] * 2
    Marks(None, "never", {})


@pytest.mark.parametrize("given", [{}, {"machine_id": ID}, {"machine_id": ID.upper()}])
def test_the_id_of_a_machine_to_import_may_be_in_capitals(mocked, given):
    found = []
    pulumi.runtime.test(
        lambda: MachineConfig(
            "rack", labels={"a": ""}, opts=pulumi.ResourceOptions(import_=ID.upper()), **given
        ).machine_id.apply(found.append)
    )()
    assert found == [ID]
