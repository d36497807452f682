// KubeVirt's part of the oracle: what its own admission code says to a manifest, in process and without a cluster.
//
// Built inside a KubeVirt checkout (see ../build.sh). Arguments: the API server's part (../kubernetes), then manifests or folders
// of them. It prints one JSON line for each file: verdict, the first layer that refuses, its messages, and in "unknown" what
// only a cluster could tell, so that the file is not to be compared.
//
// The way of a manifest: kubectl's YAML reader; strict decoding; the mutating webhook, whose first step is the OpenAPI schema;
// the CRD's schema; the validating webhook; the VM controller's VMI, on the same way; virt-launcher's pod; pod validation. Every PVC,
// network and node that a manifest names is taken to exist; gates are KubeVirt's defaults.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"kubevirt.io/client-go/log"
)

// verdict is what is printed of one manifest.
type verdict struct {
	File    string   `json:"file"`
	Verdict string   `json:"verdict"`
	Layer   string   `json:"layer,omitempty"`
	Errors  []string `json:"errors,omitempty"`
	Unknown string   `json:"unknown,omitempty"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: oracle-kubevirt ORACLE-KUBERNETES MANIFEST|FOLDER ...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(program string, places []string) error {
	log.InitializeLogging("oracle")
	log.Log.SetIOWriter(discard{})
	server, err := startServer(program)
	if err != nil {
		return err
	}
	cluster, err := newCluster(server)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, place := range places {
		files, err := manifests(place)
		if err != nil {
			return err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			said := cluster.judge(text)
			said.File = file
			line, err := json.Marshal(said)
			if err != nil {
				return err
			}
			out.Write(append(line, '\n'))
		}
	}
	return nil
}

func manifests(place string) ([]string, error) {
	about, err := os.Stat(place)
	if err != nil || !about.IsDir() {
		return []string{place}, err
	}
	files, err := filepath.Glob(filepath.Join(place, "*.yaml"))
	sort.Strings(files)
	return files, err
}

type discard struct{}

func (discard) Write(text []byte) (int, error) { return len(text), nil }
