// Custom resources as apiextensions-apiserver takes them: what its customresource_handler.go does when it decodes a request for
// strict validation, and what its strategy and validator (pkg/registry/customresource) do on create.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	schemavalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/storage/names"
	kjson "sigs.k8s.io/json"
)

// kind is one served version of a CustomResourceDefinition.
type kind struct {
	structural *structural.Structural
	schema     schemavalidation.SchemaValidator
	cel        *cel.Validator
	scale      *apiextensionsv1.CustomResourceSubresourceScale
	preserve   bool
}

type kinds map[schema.GroupVersionKind]kind

func (k kinds) learn(text []byte) error {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := json.Unmarshal(text, crd); err != nil {
		return err
	}
	for i := range crd.Spec.Versions {
		version := &crd.Spec.Versions[i]
		internal := &apiextensions.CustomResourceValidation{}
		if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(
			version.Schema, internal, nil); err != nil {
			return err
		}
		shape, err := structural.NewStructural(internal.OpenAPIV3Schema)
		if err != nil {
			return err
		}
		validator, _, err := schemavalidation.NewSchemaValidator(internal.OpenAPIV3Schema)
		if err != nil {
			return err
		}
		learned := kind{
			structural: shape,
			schema:     validator,
			cel:        cel.NewValidator(shape, true, celconfig.PerCallLimit),
			preserve:   crd.Spec.PreserveUnknownFields,
		}
		if version.Subresources != nil {
			learned.scale = version.Subresources.Scale
		}
		k[schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}] = learned
	}
	return nil
}

// decode is schemaCoercingDecoder with strict field validation, and the defaulter behind it.
func (k kinds) decode(text string) answer {
	object := map[string]interface{}{}
	strict, err := kjson.UnmarshalStrict([]byte(text), &object)
	if err != nil {
		return refused(err)
	}
	u := &unstructured.Unstructured{Object: object}
	kindName, hasKind, err := unstructured.NestedString(object, "kind")
	if err != nil {
		return refused(err)
	}
	if !hasKind || kindName == "" {
		return answer{Errors: []string{"Object 'Kind' is missing"}}
	}
	version, hasVersion, err := unstructured.NestedString(object, "apiVersion")
	if err != nil {
		return refused(err)
	}
	known, ok := k[u.GroupVersionKind()]
	if !ok {
		return answer{Errors: []string{fmt.Sprintf("no matches for kind %q in version %q", kindName, version)}}
	}
	defaulting.Default(object, known.structural)
	var unknown []string
	meta, hasMeta, unknownOfMeta, err := objectmeta.GetObjectMetaWithOptions(object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return refused(err)
	}
	unknown = append(unknown, unknownOfMeta...)
	if !known.preserve {
		track := structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
		unknown = append(unknown, pruning.PruneWithOptions(object, known.structural, true, track)...)
		defaulting.PruneNonNullableNullsWithoutDefaults(object, known.structural)
	}
	coerced, paths := objectmeta.CoerceWithOptions(nil, object, known.structural, false, objectmeta.CoerceOptions{ReturnUnknownFieldPaths: true})
	if coerced != nil {
		return refused(coerced)
	}
	unknown = append(unknown, paths...)
	u.SetKind(kindName)
	if hasVersion {
		u.SetAPIVersion(version)
	}
	if hasMeta {
		if err := objectmeta.SetObjectMeta(object, meta); err != nil {
			return refused(err)
		}
	}
	said := answer{Object: object}
	for _, err := range strict {
		said.Errors = append(said.Errors, err.Error())
	}
	for _, path := range unknown {
		said.Errors = append(said.Errors, fmt.Sprintf("unknown field %q", path))
	}
	return said
}

// validate is rest.BeforeCreate and the strategy's Validate.
func (k kinds) validate(ctx context.Context, u *unstructured.Unstructured) []string {
	known, ok := k[u.GroupVersionKind()]
	if !ok {
		return []string{"oracle: no such kind: " + u.GroupVersionKind().String()}
	}
	if u.GetName() == "" && u.GetGenerateName() != "" {
		u.SetName(names.SimpleNameGenerator.GenerateName(u.GetGenerateName()))
	}
	// The request says it, where the object does not.
	if u.GetNamespace() == "" {
		u.SetNamespace("default")
	}
	var own field.ErrorList
	// storage/etcd3 store.Create. What a cluster has served, with its uid, is there already: vmhealth checks it all the same.
	if version, err := strconv.ParseUint(u.GetResourceVersion(), 10, 64); err == nil && version != 0 && u.GetUID() == "" {
		own = append(own, field.Invalid(field.NewPath("resourceVersion"), u.GetResourceVersion(), "should not be set on objects to be created"))
	}
	own = append(own, validation.ValidateObjectMetaAccessor(u, true, validation.NameIsDNSSubdomain, field.NewPath("metadata"))...)
	errs := schemavalidation.ValidateCustomResource(nil, u.Object, known.schema)
	errs = append(errs, known.replicas(u.Object)...)
	errs = append(errs, objectmeta.Validate(nil, u.Object, known.structural, false)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, known.structural, u.Object)...)
	if known.cel != nil && len(errs) == 0 {
		found, _ := known.cel.Validate(ctx, nil, known.structural, u.Object, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, found...)
	}
	var said []string
	for _, err := range append(own, errs...) {
		said = append(said, err.Error())
	}
	return said
}

func (k kind) replicas(object map[string]interface{}) field.ErrorList {
	if k.scale == nil {
		return nil
	}
	path := strings.TrimPrefix(k.scale.SpecReplicasPath, ".")
	replicas, _, err := unstructured.NestedInt64(object, strings.Split(path, ".")...)
	switch {
	case err != nil:
		return field.ErrorList{field.Invalid(field.NewPath(path), replicas, err.Error())}
	case replicas < 0 || replicas > math.MaxInt32:
		return field.ErrorList{field.Invalid(field.NewPath(path), replicas, "should be a non-negative integer of 32 bits")}
	}
	return nil
}

func refused(err error) answer { return answer{Errors: []string{err.Error()}} }
