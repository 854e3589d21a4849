#!/usr/bin/env bash
# github.com/siderolabs/omni/client v1.9.3 (the code of `omnictl cluster template`, go-yaml v3): what becomes of unquoted
# scalars in an inline patch, which it decodes and encodes again.
#
# A date becomes a time, although a date with a time stays as it was. `08` is 8, yet `010` is 8 too. `-0` stays, and
# `0x` with more than 64 bits stays text. `!!binary` is decoded. The escape `\/`, which YAML 1.2 and JSON have, is an error,
# so JSON that escapes its slashes is no patch.
#
# Output seen: the lines below `expected`.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"
cat > go.mod <<'GO'
module scalars

go 1.24
GO
cat > main.go <<'GO'
package main

import (
	"fmt"
	"strings"

	"github.com/siderolabs/omni/client/pkg/omni/resources/omni"
	"github.com/siderolabs/omni/client/pkg/template"
)

const document = `
kind: Cluster
name: c
kubernetes: {version: v1.36.3}
talos: {version: v1.13.8}
patches: [{name: p, inline: {machine: {sysctls: {a: %s}}}}]
---
kind: ControlPlane
machines: [10000000-0000-4000-8000-000000000001]
`

func written(scalar string) string {
	loaded, err := template.Load(strings.NewReader(fmt.Sprintf(document, scalar)))
	if err != nil {
		return "refused"
	}

	made, err := loaded.Translate()
	if err != nil {
		return "refused"
	}

	for _, each := range made {
		if patch, ok := each.(*omni.ConfigPatch); ok {
			data, err := patch.TypedSpec().Value.GetUncompressedData()
			if err != nil {
				return err.Error()
			}

			text := strings.TrimSpace(string(data.Data()))

			return text[strings.LastIndex(text, "a: ")+3:]
		}
	}

	return "no patch"
}

func main() {
	for _, scalar := range []string{
		"2026-01-02", "2026-01-02T03:04:05Z", "08", "010", "-0", "0x1FFFFFFFFFFFFFFFFF", "!!binary aGVsbG8=", `"a\/b"`,
	} {
		fmt.Println(scalar, "->", written(scalar))
	}
}
GO
go mod edit -require=github.com/siderolabs/omni/client@v1.9.3
GOFLAGS=-mod=mod go mod tidy > /dev/null 2>&1
found=$(GOFLAGS=-mod=mod go run .)
expected='2026-01-02 -> 2026-01-02T00:00:00Z
2026-01-02T03:04:05Z -> "2026-01-02T03:04:05Z"
08 -> 8
010 -> 8
-0 -> -0
0x1FFFFFFFFFFFFFFFFF -> 0x1FFFFFFFFFFFFFFFFF
!!binary aGVsbG8= -> hello
"a\/b" -> refused'
echo "$found"
[ "$found" = "$expected" ]
