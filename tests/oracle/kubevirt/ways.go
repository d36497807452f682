// The ways of the four kinds, and of what they make, down to virt-launcher's pod.
package main

import (
	"context"
	"encoding/json"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kind "k8s.io/apimachinery/pkg/runtime/schema"
	k8sfield "k8s.io/apimachinery/pkg/util/validation/field"

	v1 "kubevirt.io/api/core/v1"
	instancetypev1 "kubevirt.io/api/instancetype/v1beta1"
	poolv1 "kubevirt.io/api/pool/v1beta1"
	kubevirtfake "kubevirt.io/client-go/kubevirt/fake"

	instancetypewebhooks "kubevirt.io/kubevirt/pkg/instancetype/webhooks/vm"
	netadmitter "kubevirt.io/kubevirt/pkg/network/admitter"
	netvmispec "kubevirt.io/kubevirt/pkg/network/vmispec"
	"kubevirt.io/kubevirt/pkg/virt-api/webhooks"
	"kubevirt.io/kubevirt/pkg/virt-api/webhooks/mutating-webhook/mutators"
	"kubevirt.io/kubevirt/pkg/virt-api/webhooks/validating-webhook/admitters"
	virtconfig "kubevirt.io/kubevirt/pkg/virt-config"
	"kubevirt.io/kubevirt/pkg/virt-controller/watch/vm"
)

const (
	user       = "someone"
	controller = "system:serviceaccount:kubevirt:kubevirt-controller"
)

// target is what a webhook is asked about.
type target struct {
	kind     kind.GroupVersionKind
	resource metav1.GroupVersionResource
	into     func() any
}

var (
	vms = target{v1.VirtualMachineGroupVersionKind, webhooks.VirtualMachineGroupVersionResource,
		func() any { return new(v1.VirtualMachine) }}
	vmis = target{v1.VirtualMachineInstanceGroupVersionKind, webhooks.VirtualMachineInstanceGroupVersionResource,
		func() any { return new(v1.VirtualMachineInstance) }}
	replicaSets = target{v1.VirtualMachineInstanceReplicaSetGroupVersionKind,
		webhooks.VirtualMachineInstanceReplicaSetGroupVersionResource,
		func() any { return new(v1.VirtualMachineInstanceReplicaSet) }}
	pools = target{kind.GroupVersionKind{Group: webhooks.VirtualMachinePoolGroupVersionResource.Group,
		Version: webhooks.VirtualMachinePoolGroupVersionResource.Version, Kind: poolv1.VirtualMachinePoolKind},
		webhooks.VirtualMachinePoolGroupVersionResource,
		func() any { return new(poolv1.VirtualMachinePool) }}
)

var accounts = webhooks.KubeVirtServiceAccounts("kubevirt")

// vm is the way of a VirtualMachine that was decoded.
func (c *cluster) vm(object json.RawMessage, by string) error {
	object, err := c.call(mutators.NewVMsMutator(c.config, c.client).Mutate, vmWebhook, vms, object, by)
	if err != nil {
		return err
	}
	if err := c.stored(object); err != nil {
		return err
	}
	admitter := admitters.NewVMsAdmitter(c.config, c.client, &webhooks.Informers{}, accounts)
	if _, err := c.call(admitting(admitter.Admit), vmWebhook, vms, object, by); err != nil {
		return err
	}
	made, err := c.instance(object)
	if err != nil {
		return err
	}
	return c.vmi(made, controller)
}

// instance is the VMI that the VM controller makes (watch/vm, startVMI).
func (c *cluster) instance(object json.RawMessage) (json.RawMessage, error) {
	of, err := typed[v1.VirtualMachine](object)
	if err != nil {
		return nil, err
	}
	if of.Namespace == "" {
		of.Namespace = metav1.NamespaceDefault
	}
	if err := c.named(of); err != nil {
		return nil, err
	}
	made := vm.SetupVMIFromVM(of)
	vm.AutoAttachInputDevice(made)
	if err := netvmispec.SetDefaultNetworkInterface(c.config, &made.Spec); err != nil {
		return nil, refuse(vmiWebhook, err.Error())
	}
	var causes []string
	for _, cause := range netadmitter.NewValidator(k8sfield.NewPath("spec"), &made.Spec, c.config).ValidateCreation() {
		causes = append(causes, cause.String())
	}
	if err := refuse(vmiWebhook, causes...); err != nil {
		return nil, err
	}
	made.OwnerReferences[0].UID = "a"
	object, err = untyped(made, "VirtualMachineInstance")
	if err != nil {
		return nil, err
	}
	return c.made(object, vmiWebhook)
}

// named puts what the VM's instance type and preference say into it; one that is not in the file is only in a cluster.
func (c *cluster) named(of *v1.VirtualMachine) error {
	if of.Spec.Instancetype == nil && of.Spec.Preference == nil {
		return nil
	}
	instancetype, preference, causes := instancetypewebhooks.NewAdmitter(c.client).ApplyToVM(of)
	if len(causes) > 0 {
		return refuse(vmWebhook, fmt.Sprint(causes))
	}
	if (of.Spec.Instancetype != nil && instancetype == nil) || (of.Spec.Preference != nil && preference == nil) {
		return unknown{"an instance type or preference that is not in the file"}
	}
	return nil
}

// vmi is the way of a VirtualMachineInstance that was decoded.
func (c *cluster) vmi(object json.RawMessage, by string) error {
	mutator := &mutators.VMIsMutator{ClusterConfig: c.config, VMIPresetInformer: c.presets, KubeVirtServiceAccounts: accounts}
	layer := schema
	if by == controller {
		// Whatever refuses a VMI that a controller makes is the VMI's webhook to its user.
		layer = vmiWebhook
	}
	object, err := c.call(mutator.Mutate, vmiWebhook, vmis, object, by)
	if err != nil {
		return renamed(err, layer)
	}
	if err := c.stored(object); err != nil {
		return renamed(err, layer)
	}
	admitter := &admitters.VMICreateAdmitter{
		ClusterConfig:           c.config,
		KubeVirtServiceAccounts: accounts,
		SpecValidators: []admitters.SpecValidator{
			func(field *k8sfield.Path, spec *v1.VirtualMachineInstanceSpec, config *virtconfig.ClusterConfig) []metav1.StatusCause {
				return netadmitter.Validate(field, spec, config)
			},
		},
	}
	if _, err := c.call(admitting(admitter.Admit), vmiWebhook, vmis, object, by); err != nil {
		return renamed(err, layer)
	}
	return c.pod(object)
}

// pod is virt-launcher's, as the VMI controller creates it.
func (c *cluster) pod(object json.RawMessage) error {
	vmi, err := typed[v1.VirtualMachineInstance](object)
	if err != nil {
		return err
	}
	if vmi.Namespace == "" {
		vmi.Namespace = metav1.NamespaceDefault
	}
	if vmi.Name == "" {
		vmi.Name = vmi.GenerateName + "abcde"
	}
	vmi.UID = "b"
	c.claims.of = vmi
	pod, err := func() (made any, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v", r)
			}
		}()
		return c.pods.RenderLaunchManifest(vmi)
	}()
	if err != nil {
		return refuse(podValidation, err.Error())
	}
	text, err := json.Marshal(pod)
	if err != nil {
		return err
	}
	said, err := c.server.ask(request{Op: "pod", Object: text})
	if err != nil {
		return err
	}
	return refuse(podValidation, said.Errors...)
}

// replicaSet is the way of a VirtualMachineInstanceReplicaSet that was decoded, and of one of its VMIs.
func (c *cluster) replicaSet(object json.RawMessage) error {
	if err := c.stored(object); err != nil {
		return err
	}
	admitter := &admitters.VMIRSAdmitter{ClusterConfig: c.config}
	if _, err := c.call(admitting(admitter.Admit), vmWebhook, replicaSets, object, user); err != nil {
		return err
	}
	of, err := typed[v1.VirtualMachineInstanceReplicaSet](object)
	if err != nil {
		return err
	}
	made := &v1.VirtualMachineInstance{ObjectMeta: *of.Spec.Template.ObjectMeta.DeepCopy(), Spec: of.Spec.Template.Spec}
	made.Name, made.GenerateName = "", of.Name
	made.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(of, v1.VirtualMachineInstanceReplicaSetGroupVersionKind)}
	made.OwnerReferences[0].UID = "a"
	text, err := untyped(made, "VirtualMachineInstance")
	if err != nil {
		return err
	}
	text, err = c.made(text, vmiWebhook)
	if err != nil {
		return err
	}
	return c.vmi(text, controller)
}

// pool is the way of a VirtualMachinePool that was decoded, and of one of its VMs.
func (c *cluster) pool(object json.RawMessage) error {
	if err := c.stored(object); err != nil {
		return err
	}
	admitter := &admitters.VMPoolAdmitter{ClusterConfig: c.config, KubeVirtServiceAccounts: accounts}
	if _, err := c.call(admitting(admitter.Admit), vmWebhook, pools, object, user); err != nil {
		return err
	}
	of, err := typed[poolv1.VirtualMachinePool](object)
	if err != nil {
		return err
	}
	template := of.Spec.VirtualMachineTemplate
	made := &v1.VirtualMachine{
		ObjectMeta: metav1.ObjectMeta{
			Name: of.Name + "-0", Namespace: of.Namespace,
			Labels: template.ObjectMeta.Labels, Annotations: template.ObjectMeta.Annotations,
		},
		Spec: template.Spec,
	}
	text, err := untyped(made, "VirtualMachine")
	if err != nil {
		return err
	}
	text, err = c.made(text, vmWebhook)
	if err != nil {
		return err
	}
	return c.vm(text, controller)
}

// made is the API server's decoding of what a controller makes, which does not ask for strictness.
func (c *cluster) made(object json.RawMessage, layer string) (json.RawMessage, error) {
	object, err := c.decode(object, false)
	return object, renamed(err, layer)
}

// stored is what the API server says of what a mutating webhook made of an object, or of what has none.
func (c *cluster) stored(object json.RawMessage) error {
	said, err := c.server.ask(request{Op: "schema", Object: object})
	if err != nil {
		return err
	}
	return refuse(schema, said.Errors...)
}

// learn takes an instance type or a preference; whether it is one.
func (c *cluster) learn(kind string, text []byte) (bool, error) {
	var object runtime.Object
	namespace := metav1.NamespaceDefault
	switch kind {
	case "VirtualMachineInstancetype":
		object = new(instancetypev1.VirtualMachineInstancetype)
	case "VirtualMachineClusterInstancetype":
		object, namespace = new(instancetypev1.VirtualMachineClusterInstancetype), ""
	case "VirtualMachinePreference":
		object = new(instancetypev1.VirtualMachinePreference)
	case "VirtualMachineClusterPreference":
		object, namespace = new(instancetypev1.VirtualMachineClusterPreference), ""
	default:
		return false, nil
	}
	if err := json.Unmarshal(text, object); err != nil {
		return true, err
	}
	if about := object.(metav1.Object); about.GetNamespace() == "" {
		about.SetNamespace(namespace)
	}
	return true, c.client.kubevirt.Tracker().Add(object)
}

// forget lets go of the last file's instance types.
func (c *cluster) forget() { c.client.kubevirt = kubevirtfake.NewSimpleClientset() }

func admitting(admit func(context.Context, *admissionv1.AdmissionReview) *admissionv1.AdmissionResponse) webhook {
	return func(review *admissionv1.AdmissionReview) *admissionv1.AdmissionResponse {
		return admit(context.Background(), review)
	}
}

// renamed gives a refusal to the layer that its user sees.
func renamed(err error, layer string) error {
	if refused, ok := err.(*refusal); ok && layer == vmiWebhook && refused.layer != podValidation {
		return &refusal{layer, refused.messages}
	}
	return err
}
