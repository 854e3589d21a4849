"""A YAML file of another tool that is changed in place: all that is not changed keeps its order and its spelling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import yaml

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.goyaml.loaders import BaseLoader
from ksail_pulumi.goyaml.read import Document, Node, parse_documents

if TYPE_CHECKING:
    from collections.abc import Mapping


class ToolFile:
    """The file of a tool: one mapping.

    The plain data are read as Go reads them. Changes are made in PyYAML's tree of texts: another reader may see other
    values in them (`22:30`), so they are written as they are.
    """

    def __init__(self, text: str, path: str) -> None:
        """Parse the text of the file at a path; it may be empty.

        Raises:
            ConfigFileError: It is not one mapping; names file and line.
        """
        documents = parse_documents(text, path) or [Document(path, Node(0, {}, None, {}))]
        if len(documents) > 1:
            raise ConfigFileError(path, documents[1].root.line, "", "expected one document, not several")
        (self._document,) = documents
        if not isinstance(self._document.value, dict):
            raise ConfigFileError(path, self._document.root.line, "", "expected a mapping")
        # An empty document may come first.
        roots = (node for node in yaml.compose_all(text, BaseLoader) if isinstance(node, yaml.MappingNode))
        self._root: yaml.MappingNode = next(roots, yaml.MappingNode("tag:yaml.org,2002:map", [], flow_style=False))

    @property
    def value(self) -> Mapping[str, Any]:
        """The file as plain data, without the changes."""
        return self._document.value  # type: ignore[no-any-return]

    def mapping(self, key: str) -> Mapping[str, Any]:
        """The mapping under a key; empty if there is none.

        Raises:
            ConfigFileError: Something else is there.
        """
        found = {} if self.value.get(key) is None else self.value[key]
        if not isinstance(found, dict):
            raise self._document.error((key,), "should be a mapping")
        return found

    def named(self, key: str) -> Mapping[str, Mapping[str, Any]]:
        """The mappings in the list under a key, by their names.

        Raises:
            ConfigFileError: Something else is there.
        """
        found = [] if self.value.get(key) is None else self.value[key]
        if not isinstance(found, list):
            raise self._document.error((key,), "should be a list")
        for index, item in enumerate(found):
            if not isinstance(item, dict):
                raise self._document.error((key, index), "should be a mapping")
        return {str(item.get("name")): item for item in reversed(found)}

    def error(self, key: str, item: str, reason: str, **values: Any) -> ConfigFileError:
        """An error about the item of a name under a key; `values` as for `Problem`."""
        index = self._index(key, item)
        return self._document.error((key, item if index is None else index), reason, **values)

    def set(self, key: str, value: Any) -> None:
        """Set the value under a key; a new key comes last."""
        _put(self._root, key, _node(value))

    def set_in(self, key: str, name: str, value: Any) -> None:
        """Set a value in the mapping under a key."""
        node = _get(self._root, key)
        if isinstance(node, yaml.MappingNode) and node.value:
            _put(node, name, _node(value))
        else:
            self.set(key, {name: value})

    def set_named(self, key: str, value: Mapping[str, Any]) -> None:
        """Set a mapping in the list under a key, in place of the one with the same name."""
        items, index = _get(self._root, key), self._index(key, value["name"])
        if not isinstance(items, yaml.SequenceNode) or not items.value:
            self.set(key, [value])
        elif index is None:
            items.value.append(_node(value))
        else:
            items.value[index] = _node(value)

    def remove_named(self, key: str, name: str) -> None:
        """Remove the mapping with a name from the list under a key."""
        items, index = _get(self._root, key), self._index(key, name)
        if isinstance(items, yaml.SequenceNode) and index is not None:
            del items.value[index]

    def text(self) -> str:
        """The text with the changes."""
        # No line is folded: that would change the spelling of values that nobody has changed.
        return str(yaml.serialize(self._root, Dumper=yaml.BaseDumper, width=math.inf, allow_unicode=True))

    def _index(self, key: str, name: str) -> int | None:
        items = self.value.get(key) or []
        if not isinstance(items, list):
            return None
        return next((index for index, item in enumerate(items) if str(item.get("name")) == name), None)


def _node(value: Any) -> yaml.Node:
    node = yaml.compose(yaml.safe_dump(value, sort_keys=False, width=math.inf), BaseLoader)
    assert node is not None  # only an empty text has none
    return node


def _get(mapping: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for name, value in mapping.value if name.value == key), None)


def _put(mapping: yaml.MappingNode, key: str, value: yaml.Node) -> None:
    for index, (name, _) in enumerate(mapping.value):
        if name.value == key:
            mapping.value[index] = (name, value)
            return
    mapping.value.append((_node(key), value))
