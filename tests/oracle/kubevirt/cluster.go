// A cluster that has everything a manifest may name: its configuration, clients that answer from memory, and the renderer of pods.
package main

import (
	"strings"

	k8sv1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	k8sfake "k8s.io/client-go/kubernetes/fake"
	appsclient "k8s.io/client-go/kubernetes/typed/apps/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"

	v1 "kubevirt.io/api/core/v1"
	cdiclient "kubevirt.io/client-go/containerizeddataimporter"
	cdifake "kubevirt.io/client-go/containerizeddataimporter/fake"
	"kubevirt.io/client-go/kubecli"
	kubevirtclient "kubevirt.io/client-go/kubevirt"
	kubevirtfake "kubevirt.io/client-go/kubevirt/fake"
	instancetypeclient "kubevirt.io/client-go/kubevirt/typed/instancetype/v1beta1"
	networkclient "kubevirt.io/client-go/networkattachmentdefinitionclient"
	networkfake "kubevirt.io/client-go/networkattachmentdefinitionclient/fake"

	"kubevirt.io/kubevirt/pkg/hooks"
	"kubevirt.io/kubevirt/pkg/network/netbinding"
	netannotations "kubevirt.io/kubevirt/pkg/network/pod/annotations"
	netresources "kubevirt.io/kubevirt/pkg/network/resources"
	backendstorage "kubevirt.io/kubevirt/pkg/storage/backend-storage"
	storageannotations "kubevirt.io/kubevirt/pkg/storage/pod/annotations"
	"kubevirt.io/kubevirt/pkg/testutils"
	virtconfig "kubevirt.io/kubevirt/pkg/virt-config"
	"kubevirt.io/kubevirt/pkg/virt-controller/services"
)

// The user and group that virt-launcher's files belong to.
const qemuGroup = 107

type cluster struct {
	server  *server
	config  *virtconfig.ClusterConfig
	client  *client
	presets cache.SharedIndexInformer
	claims  *claims
	pods    *services.TemplateService
}

func newCluster(server *server) (*cluster, error) {
	config, _, _ := testutils.NewFakeClusterConfigUsingKVConfig(&v1.KubeVirtConfiguration{})
	presets, _ := testutils.NewFakeInformerFor(&v1.VirtualMachineInstancePreset{})
	networks := networkfake.NewSimpleClientset()
	networks.PrependReactor("get", "network-attachment-definitions", func(asked testing.Action) (bool, runtime.Object, error) {
		get := asked.(testing.GetAction)
		return true, &nadv1.NetworkAttachmentDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: get.GetName(), Namespace: get.GetNamespace()},
		}, nil
	})
	client := &client{
		kubernetes: k8sfake.NewSimpleClientset(),
		kubevirt:   kubevirtfake.NewSimpleClientset(),
		cdi:        cdifake.NewSimpleClientset(),
		networks:   networks,
	}
	claims := &claims{}
	netAnnotations := netannotations.NewGenerator(config)
	pods := services.NewTemplateService("virt-launcher", 240, "/var/run/kubevirt", "/var/run/kubevirt-ephemeral-disks",
		"/var/run/kubevirt/container-disks", "/var/run/kubevirt/hotplug-disks", "", claims, client, config, qemuGroup,
		"exporter", cache.NewStore(cache.MetaNamespaceKeyFunc), namespaces{},
		services.WithSidecarCreator(func(vmi *v1.VirtualMachineInstance, _ *v1.KubeVirtConfiguration) (hooks.HookSidecarList, error) {
			return hooks.UnmarshalHookSidecarList(vmi)
		}),
		services.WithSidecarCreator(netbinding.NetBindingPluginSidecarList),
		services.WithNetMemoryCalculator(netresources.MemoryCalculator{}),
		services.WithAnnotationsGenerators(netAnnotations, storageannotations.Generator{}),
		services.WithNetTargetAnnotationsGenerator(netAnnotations),
	)
	return &cluster{server: server, config: config, client: client, presets: presets, claims: claims, pods: pods}, nil
}

// client answers what admission and rendering ask; anything else is a nil interface and panics, which is reported.
type client struct {
	kubecli.KubevirtClient
	kubernetes *k8sfake.Clientset
	kubevirt   *kubevirtfake.Clientset
	cdi        *cdifake.Clientset
	networks   *networkfake.Clientset
}

func (c *client) AppsV1() appsclient.AppsV1Interface                { return c.kubernetes.AppsV1() }
func (c *client) CoreV1() coreclient.CoreV1Interface                { return c.kubernetes.CoreV1() }
func (c *client) GeneratedKubeVirtClient() kubevirtclient.Interface { return c.kubevirt }
func (c *client) CdiClient() cdiclient.Interface                    { return c.cdi }
func (c *client) NetworkClient() networkclient.Interface            { return c.networks }
func (c *client) VirtualMachineInstancetype(namespace string) instancetypeclient.VirtualMachineInstancetypeInterface {
	return c.kubevirt.InstancetypeV1beta1().VirtualMachineInstancetypes(namespace)
}
func (c *client) VirtualMachineClusterInstancetype() instancetypeclient.VirtualMachineClusterInstancetypeInterface {
	return c.kubevirt.InstancetypeV1beta1().VirtualMachineClusterInstancetypes()
}
func (c *client) VirtualMachinePreference(namespace string) instancetypeclient.VirtualMachinePreferenceInterface {
	return c.kubevirt.InstancetypeV1beta1().VirtualMachinePreferences(namespace)
}
func (c *client) VirtualMachineClusterPreference() instancetypeclient.VirtualMachineClusterPreferenceInterface {
	return c.kubevirt.InstancetypeV1beta1().VirtualMachineClusterPreferences()
}

// claims has every PVC that is asked for, and a persistent state for the VMI whose pod is rendered.
type claims struct {
	cache.Store
	of *v1.VirtualMachineInstance
}

func (c *claims) GetByKey(key string) (interface{}, bool, error) {
	// A name with a slash in it, which no PVC has, is the pod's matter.
	namespace, name, found := strings.Cut(key, "/")
	return claim(namespace, name, nil), found, nil
}

func (c *claims) List() []interface{} {
	return []interface{}{claim(c.of.Namespace, "state", map[string]string{backendstorage.PVCPrefix: c.of.Name})}
}

// claim is 1Gi on a filesystem that many nodes can write to.
func claim(namespace, name string, labels map[string]string) *k8sv1.PersistentVolumeClaim {
	mode := k8sv1.PersistentVolumeFilesystem
	return &k8sv1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels},
		Spec: k8sv1.PersistentVolumeClaimSpec{
			VolumeMode:  &mode,
			AccessModes: []k8sv1.PersistentVolumeAccessMode{k8sv1.ReadWriteMany},
			Resources: k8sv1.VolumeResourceRequirements{
				Requests: k8sv1.ResourceList{k8sv1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
		Status: k8sv1.PersistentVolumeClaimStatus{Phase: k8sv1.ClaimBound},
	}
}

// namespaces has every namespace.
type namespaces struct{ cache.Store }

func (namespaces) GetByKey(key string) (interface{}, bool, error) {
	return &k8sv1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key}}, true, nil
}
