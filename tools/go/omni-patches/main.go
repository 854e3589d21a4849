// Asks omnictl's own code what it makes of patches, one JSON object on a line: the `inline` of a patch, the text that
// Omni would get, and why it is refused, if it is.
//
// The tests hold our reading of patches against it. To write the answers anew, to the same or to more patches:
//
//	go run . < ../../../tests/spec/data/omni-patches.jsonl > answers && mv answers ../../../tests/spec/data/omni-patches.jsonl
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/siderolabs/omni/client/pkg/omni/resources/omni"
	"github.com/siderolabs/omni/client/pkg/template"
)

const document = `
kind: Cluster
name: c
kubernetes: {version: v1.36.3}
talos: {version: v1.13.8}
patches: [{name: p, inline: %s}]
---
kind: ControlPlane
machines: [10000000-0000-4000-8000-000000000001]
`

type answer struct {
	Inline  json.RawMessage `json:"inline"`
	Text    string          `json:"text"`
	Refusal string          `json:"refusal"`
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)

	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var patch answer
		if err := json.Unmarshal(in.Bytes(), &patch); err != nil {
			log.Fatal(err)
		}

		if err := out.Encode(ask(patch.Inline)); err != nil {
			log.Fatal(err)
		}
	}
}

func ask(inline json.RawMessage) answer {
	said := answer{Inline: inline}

	loaded, err := template.Load(strings.NewReader(fmt.Sprintf(document, inline)))
	if err != nil {
		said.Refusal = err.Error()

		return said
	}

	if err = loaded.Validate(); err != nil {
		said.Refusal = err.Error()
	}

	made, err := loaded.Translate()
	if err != nil {
		return said
	}

	for _, each := range made {
		if patch, ok := each.(*omni.ConfigPatch); ok {
			data, err := patch.TypedSpec().Value.GetUncompressedData()
			if err != nil {
				log.Fatal(err)
			}

			said.Text = string(data.Data())
			data.Free()
		}
	}

	return said
}
