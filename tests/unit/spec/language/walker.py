"""A walk over a JSON Schema along the data that it describes: which of its keys and words does the data use?"""

from __future__ import annotations


class Walker:
    """Collects all keys and words of a schema, then marks those that documents use.

    `canonical` names a key of a definition, so that keys that stand for each other count as one. A closed choice is
    known by its words: the same words in two places are one choice.
    """

    def __init__(self, schema, validator, canonical):
        self._definitions = schema["$defs"]
        self._root = schema
        self._validator = validator
        self._canonical = canonical
        self.keys = set()
        self.used_keys = set()
        self._words = {}
        self._used_words = {}
        for name, definition in self._definitions.items():
            self._collect(definition, name, name)

    def missing_words(self):
        """Pairs of a place and a word of its choice that no document used."""
        return sorted(
            (place, word)
            for choice, place in self._words.items()
            for word in choice
            if word not in self._used_words.get(choice, ())
        )

    def mark(self, data):
        """Mark what a document uses."""
        self._visit(self._root, data, "")

    def _collect(self, schema, definition, at):
        if not isinstance(schema, dict):
            return
        words = self._choice(schema)
        if words:
            self._words.setdefault(words, at)
        for key, value in schema.get("properties", {}).items():
            if "const" not in value:
                self.keys.add(self._canonical(definition, key))
            self._collect(value, definition, f"{definition}: {key}")
        for keyword in ("items", "additionalProperties", "propertyNames", "then"):
            self._collect(schema.get(keyword), definition, at)
        for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
            for part in schema.get(keyword, ()):
                self._collect(part, definition, at)

    @staticmethod
    def _choice(schema):
        words = schema.get("enum", ())
        return tuple(words) if words and all(isinstance(word, str) for word in words) else ()

    def _visit(self, schema, value, definition):
        if not isinstance(schema, dict):
            return
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            self._visit(self._definitions[name], value, name)
        words = self._choice(schema)
        if words and isinstance(value, str):
            self._used_words.setdefault(words, set()).add(value)
        for part in self._branches(schema, value):
            self._visit(part, value, definition)
        if isinstance(value, dict):
            self._visit_mapping(schema, value, definition)
        elif isinstance(value, list):
            first = schema.get("prefixItems", ())
            for index, item in enumerate(value):
                self._visit(first[index] if index < len(first) else schema.get("items"), item, definition)

    def _branches(self, schema, value):
        """The parts of a schema that hold of the value beside its own keywords."""
        alternatives = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        then = [schema.get("then")] if "if" in schema and self._fits(schema["if"], value) else []
        return [*(part for part in alternatives if self._fits(part, value)), *schema.get("allOf", ()), *then]

    def _visit_mapping(self, schema, value, definition):
        properties = schema.get("properties", {})
        for key, item in value.items():
            self._visit(schema.get("propertyNames"), key, definition)
            if key in properties:
                self.used_keys.add(self._canonical(definition, key))
                self._visit(properties[key], item, definition)
            else:
                self._visit(schema.get("additionalProperties"), item, definition)

    def _fits(self, schema, value):
        return self._validator.evolve(schema=schema).is_valid(value)
