#!/usr/bin/env bash
# client-go 0.32.4 (kubectl 1.32): a change of a kubeconfig removes the contexts that another process has added to it since
# the caller read it, although the file is locked while it is written.
#
# `clientcmd.ModifyConfig` locks the file, reads it again, and compares that with the caller's configuration. An entry
# that only the file has counts as one that the caller has removed. `kubectl config set-context` reads first and calls
# ModifyConfig then, so two tools that both take the lock can still lose each other's contexts.
#
# Output seen: "contexts before the write: [mine theirs]; after it: [mine mine-2]".
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"
export GOFLAGS=-mod=mod GOPATH="$folder/go"
cat > go.mod <<'MOD'
module finding

go 1.23.0
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"sort"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// add does what `kubectl config set-context` does after it has read `config`.
func add(access clientcmd.ConfigAccess, config *api.Config, name string) {
	config.Contexts[name] = &api.Context{Cluster: "c", AuthInfo: "u"}
	if err := clientcmd.ModifyConfig(access, *config, false); err != nil {
		panic(err)
	}
}

func read(access clientcmd.ConfigAccess) *api.Config {
	config, err := access.GetStartingConfig()
	if err != nil {
		panic(err)
	}
	return config
}

func names(access clientcmd.ConfigAccess) []string {
	found := []string{}
	for name := range read(access).Contexts {
		found = append(found, name)
	}
	sort.Strings(found)
	return found
}

func main() {
	access := &clientcmd.PathOptions{
		GlobalFile:   os.Args[1],
		LoadingRules: &clientcmd.ClientConfigLoadingRules{ExplicitPath: os.Args[1]},
	}
	add(access, api.NewConfig(), "mine")
	mine := read(access)
	add(access, read(access), "theirs")
	before := names(access)
	add(access, mine, "mine-2")
	fmt.Printf("contexts before the write: %v; after it: %v\n", before, names(access))
}
GO
go get k8s.io/client-go@v0.32.4 2> log || { cat log; exit 1; }
found=$(go run . "$folder/config")
echo "$found"
[ "$found" = "contexts before the write: [mine theirs]; after it: [mine mine-2]" ]
