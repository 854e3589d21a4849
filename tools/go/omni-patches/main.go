// Asks omnictl's own code what it makes of patches, one JSON object on a line: the patch, the text that Omni would get,
// and why it is refused, if it is. A patch is its `inline` as JSON, or one `scalar` as it is written in a template.
//
// The tests hold our reading of patches against it. To write the answers again, for the same or for more patches:
//
//	go run . < TABLE > answers && mv answers TABLE
//
// with tests/model/data/omni-patches.jsonl or tests/formats/data/omni-scalars.jsonl.
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
	Inline  json.RawMessage `json:"inline,omitempty"`
	Scalar  string          `json:"scalar,omitempty"`
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

		inline := string(patch.Inline)
		if inline == "" {
			inline = fmt.Sprintf("{machine: {sysctls: {a: %s}}}", patch.Scalar)
		}

		patch.Text, patch.Refusal = ask(inline)
		if err := out.Encode(patch); err != nil {
			log.Fatal(err)
		}
	}
}

func ask(inline string) (text, refusal string) {
	loaded, err := template.Load(strings.NewReader(fmt.Sprintf(document, inline)))
	if err != nil {
		return "", err.Error()
	}

	if err = loaded.Validate(); err != nil {
		refusal = err.Error()
	}

	made, err := loaded.Translate()
	if err != nil {
		return "", refusal
	}

	for _, each := range made {
		if patch, ok := each.(*omni.ConfigPatch); ok {
			data, err := patch.TypedSpec().Value.GetUncompressedData()
			if err != nil {
				log.Fatal(err)
			}

			text = string(data.Data())
			data.Free()
		}
	}

	return text, refusal
}
