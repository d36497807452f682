// The way of one manifest through the layers, up to the first that refuses.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	v1 "kubevirt.io/api/core/v1"
	webhookutils "kubevirt.io/kubevirt/pkg/util/webhooks"
)

// The layers by vmhealth's names; decoding has kubectl's refusals, too.
const (
	clientDecode  = "client-decode"
	schema        = "schema"
	vmWebhook     = "vm-webhook"
	vmiWebhook    = "vmi-webhook"
	podValidation = "pod-validation"
)

// refusal is why a layer refuses.
type refusal struct {
	layer    string
	messages []string
}

func (r *refusal) Error() string { return r.layer + ": " + strings.Join(r.messages, "; ") }

func refuse(layer string, messages ...string) error {
	if len(messages) == 0 {
		return nil
	}
	return &refusal{layer, messages}
}

// unknown is what only a cluster can tell.
type unknown struct{ why string }

func (u unknown) Error() string { return u.why }

func (c *cluster) judge(text []byte) (said verdict) {
	err := c.text(text)
	var refused *refusal
	var open unknown
	switch {
	case err == nil:
		return verdict{Verdict: "accepted"}
	case errors.As(err, &refused):
		return verdict{Verdict: "refused", Layer: refused.layer, Errors: refused.messages}
	case errors.As(err, &open):
		return verdict{Verdict: "unknown", Unknown: open.why}
	}
	return verdict{Verdict: "unknown", Unknown: "oracle: " + err.Error()}
}

// text judges the first object that is a VM or makes VMs; instance types and preferences in front of it are there for it.
func (c *cluster) text(text []byte) error {
	c.forget()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if err == io.EOF {
			return unknown{"no VM in it"}
		}
		if err != nil {
			return refuse(clientDecode, err.Error())
		}
		object, err := yaml.YAMLToJSON(document)
		if err != nil {
			return refuse(clientDecode, err.Error())
		}
		about := metav1.TypeMeta{}
		if err := json.Unmarshal(object, &about); err != nil {
			return refuse(clientDecode, err.Error())
		}
		switch about.Kind {
		case "VirtualMachine", "VirtualMachineInstance", "VirtualMachineInstanceReplicaSet", "VirtualMachinePool":
			return c.create(about.Kind, object)
		}
		if known, err := c.learn(about.Kind, object); err != nil || !known {
			if err != nil {
				return unknown{err.Error()}
			}
			// A kind that nobody serves, perhaps one of KubeVirt's that is misspelt.
			if strings.HasPrefix(about.APIVersion, "kubevirt.io/") || about.Kind == "" {
				return refuse(clientDecode, fmt.Sprintf("no matches for kind %q in version %q", about.Kind, about.APIVersion))
			}
		}
	}
}

// create is what `kubectl create` does.
func (c *cluster) create(kind string, text []byte) error {
	text, err := withNamespace(text)
	if err != nil {
		return refuse(clientDecode, err.Error())
	}
	object, err := c.decode(text, true)
	if err != nil {
		return err
	}
	if object, err = generated(object); err != nil {
		return err
	}
	switch kind {
	case "VirtualMachine":
		return c.vm(object, user)
	case "VirtualMachineInstance":
		return c.vmi(object, user)
	case "VirtualMachineInstanceReplicaSet":
		return c.replicaSet(object)
	}
	return c.pool(object)
}

// withNamespace is kubectl's: a namespace that is no text is none to it, and it writes its own over it
// (cli-runtime resource.SetNamespace).
func withNamespace(text json.RawMessage) (json.RawMessage, error) {
	whole := map[string]any{}
	if err := yaml.Unmarshal(text, &whole); err != nil {
		return nil, err
	}
	metadata, ok := whole["metadata"].(map[string]any)
	if !ok {
		return text, nil
	}
	if _, isText := metadata["namespace"].(string); isText || metadata["namespace"] == nil {
		return text, nil
	}
	metadata["namespace"] = metav1.NamespaceDefault
	return json.Marshal(whole)
}

// generated gives an object without a name the one that the API server makes up.
func generated(object json.RawMessage) (json.RawMessage, error) {
	whole := map[string]any{}
	if err := json.Unmarshal(object, &whole); err != nil {
		return nil, err
	}
	metadata, _ := whole["metadata"].(map[string]any)
	start, _ := metadata["generateName"].(string)
	if name, _ := metadata["name"].(string); name != "" || start == "" {
		return object, nil
	}
	metadata["name"] = start + "abcde"
	return json.Marshal(whole)
}

// decode is the API server's; a client that is not kubectl does not ask for strict decoding.
func (c *cluster) decode(text []byte, strict bool) (json.RawMessage, error) {
	said, err := c.server.ask(request{Op: "decode", Text: string(text)})
	if err != nil {
		return nil, err
	}
	if len(said.Errors) > 0 && (strict || said.Object == nil) {
		return nil, refuse(clientDecode, said.Errors...)
	}
	return said.Object, nil
}

type webhook func(*admissionv1.AdmissionReview) *admissionv1.AdmissionResponse

// call asks a webhook. What it refuses for its OpenAPI schema, or because Go's types cannot hold it, is the schema's; the rest is its
// own layer's. It returns the object as the webhook patched it.
func (c *cluster) call(hook webhook, layer string, of target, object json.RawMessage, user string) (_ json.RawMessage, err error) {
	// The API server answers 500 then.
	defer func() {
		if r := recover(); r != nil {
			err = refuse(layer, fmt.Sprintf("panic: %v", r))
		}
	}()
	if said := webhookutils.ValidateSchema(of.kind, object); said != nil {
		return nil, refuse(schema, messages(said)...)
	}
	if err := json.Unmarshal(object, of.into()); err != nil {
		return nil, refuse(schema, err.Error())
	}
	said := hook(&admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		Resource:  of.resource,
		Operation: admissionv1.Create,
		Namespace: metav1.NamespaceDefault,
		Object:    runtime.RawExtension{Raw: object},
		UserInfo:  authenticationv1.UserInfo{Username: user},
	}})
	if !said.Allowed {
		return nil, refuse(layer, messages(said)...)
	}
	return patched(object, said.Patch)
}

// patched replaces whole parts of an object, which is all that KubeVirt's webhooks do.
func patched(object, patch json.RawMessage) (json.RawMessage, error) {
	if patch == nil {
		return object, nil
	}
	var steps []struct {
		Op, Path string
		Value    json.RawMessage
	}
	parts := map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(patch, &steps), json.Unmarshal(object, &parts)); err != nil {
		return nil, err
	}
	for _, step := range steps {
		part := strings.TrimPrefix(step.Path, "/")
		if step.Op != "replace" || strings.Contains(part, "/") {
			return nil, fmt.Errorf("a patch that the oracle does not know: %s %s", step.Op, step.Path)
		}
		parts[part] = step.Value
	}
	return json.Marshal(parts)
}

func messages(said *admissionv1.AdmissionResponse) []string {
	if said.Result == nil {
		return []string{"refused without a word"}
	}
	if said.Result.Details == nil || len(said.Result.Details.Causes) == 0 {
		return []string{said.Result.Message}
	}
	var found []string
	for _, cause := range said.Result.Details.Causes {
		found = append(found, fmt.Sprintf("%s: %s", cause.Field, cause.Message))
	}
	return found
}

func typed[T any](object json.RawMessage) (*T, error) {
	into := new(T)
	return into, json.Unmarshal(object, into)
}

func untyped(object any, kind string) (json.RawMessage, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	fields["apiVersion"], fields["kind"] = v1.GroupVersion.String(), kind
	return json.Marshal(fields)
}
