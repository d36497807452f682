// The API server's part, a process of its own that answers a line with a line (../kubernetes/main.go).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"

	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
)

type server struct {
	in  io.Writer
	out *bufio.Reader
}

type request struct {
	Op     string                            `json:"op"`
	Crds   []*extv1.CustomResourceDefinition `json:"crds,omitempty"`
	Text   string                            `json:"text,omitempty"`
	Object json.RawMessage                   `json:"object,omitempty"`
}

type answer struct {
	Errors []string        `json:"errors"`
	Object json.RawMessage `json:"object"`
}

func startServer(program string) (*server, error) {
	child := exec.Command(program)
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, err
	}
	s := &server{in: in, out: bufio.NewReaderSize(out, 1<<20)}
	var crds []*extv1.CustomResourceDefinition
	for _, crdOf := range []func() (*extv1.CustomResourceDefinition, error){
		components.NewVirtualMachineCrd,
		components.NewVirtualMachineInstanceCrd,
		components.NewReplicaSetCrd,
		components.NewVirtualMachinePoolCrd,
	} {
		crd, err := crdOf()
		if err != nil {
			return nil, err
		}
		crds = append(crds, crd)
	}
	said, err := s.ask(request{Op: "crds", Crds: crds})
	if err == nil && len(said.Errors) > 0 {
		err = fmt.Errorf("%s: %v", program, said.Errors)
	}
	return s, err
}

func (s *server) ask(asked request) (answer, error) {
	said := answer{}
	text, err := json.Marshal(asked)
	if err != nil {
		return said, err
	}
	if _, err := s.in.Write(append(text, '\n')); err != nil {
		return said, err
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return said, fmt.Errorf("the API server's part ended: %w", err)
	}
	return said, json.Unmarshal(line, &said)
}
