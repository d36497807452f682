// The API server's part of the oracle: Kubernetes' own code decides, in process, what a cluster would say to an object.
//
// Built inside a tree that vendors k8s.io/kubernetes and k8s.io/apiextensions-apiserver (see ../build.sh). It reads one JSON
// request a line and answers each with one line:
//
//	{"op":"crds","crds":[...]}      learns CustomResourceDefinitions
//	{"op":"decode","text":"{...}"}  strict decoding of a custom resource: {"errors":[...],"object":{...}}
//	{"op":"schema","object":{...}}  metadata, the CRD's schema, list types and CEL: {"errors":[...]}
//	{"op":"pod","object":{...}}     defaults and validation of a pod: {"errors":[...]}
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apiserver/pkg/storage/names"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/core"
	k8s "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/apis/core/validation"
)

type request struct {
	Op     string            `json:"op"`
	Crds   []json.RawMessage `json:"crds"`
	Text   string            `json:"text"`
	Object json.RawMessage   `json:"object"`
}

type answer struct {
	Errors []string               `json:"errors"`
	Object map[string]interface{} `json:"object,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	kinds := kinds{}
	for lines.Scan() {
		var asked request
		said := answer{}
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			said.Errors = []string{"oracle: " + err.Error()}
		} else {
			said = answered(&kinds, &asked)
		}
		text, err := json.Marshal(said)
		if err != nil {
			text = []byte(fmt.Sprintf(`{"errors":[%q]}`, "oracle: "+err.Error()))
		}
		out.Write(append(text, '\n'))
		out.Flush()
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answered(kinds *kinds, asked *request) (said answer) {
	// A validator that panics refuses: the API server answers 500.
	defer func() {
		if r := recover(); r != nil {
			said = answer{Errors: []string{fmt.Sprintf("panic: %v", r)}}
		}
	}()
	switch asked.Op {
	case "crds":
		for _, crd := range asked.Crds {
			if err := kinds.learn(crd); err != nil {
				return answer{Errors: []string{"oracle: " + err.Error()}}
			}
		}
		return answer{}
	case "decode":
		return kinds.decode(asked.Text)
	case "schema":
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(asked.Object); err != nil {
			return answer{Errors: []string{err.Error()}}
		}
		return answer{Errors: kinds.validate(context.Background(), object)}
	case "pod":
		return answer{Errors: pod(asked.Object)}
	}
	return answer{Errors: []string{"oracle: no such request: " + asked.Op}}
}

// pod is what pkg/registry/core/pod's strategy does on create, as far as it can refuse.
func pod(text json.RawMessage) []string {
	versioned := &corev1.Pod{}
	if err := json.Unmarshal(text, versioned); err != nil {
		return []string{err.Error()}
	}
	k8s.SetObjectDefaults_Pod(versioned)
	pod := &core.Pod{}
	if err := k8s.Convert_v1_Pod_To_core_Pod(versioned, pod, nil); err != nil {
		return []string{err.Error()}
	}
	if pod.Name == "" && pod.GenerateName != "" {
		pod.Name = names.SimpleNameGenerator.GenerateName(pod.GenerateName)
	}
	if pod.Namespace == "" {
		pod.Namespace = "default"
	}
	podutil.DropDisabledPodFields(pod, nil)
	options := podutil.GetValidationOptionsFromPodSpecAndMeta(&pod.Spec, nil, &pod.ObjectMeta, nil)
	options.ResourceIsPod = true
	var errors []string
	for _, err := range validation.ValidatePodCreate(pod, options) {
		errors = append(errors, err.Error())
	}
	return errors
}
