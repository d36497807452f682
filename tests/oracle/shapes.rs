//! What may stand where: KubeVirt's own OpenAPI document, so that fields that vmhealth does not know come up, too.

use crate::tree::{Path, Step, Tree};
use crate::words;
use fastrand::Rng;
use serde_json::Value as Json;
use std::path::Path as File;

/// How deep a value is made up.
const DEPTH: usize = 4;

pub(crate) struct Shapes {
    definitions: Json,
}

impl Shapes {
    /// Of a KubeVirt checkout.
    pub(crate) fn read(kubevirt: &File) -> Result<Shapes, String> {
        let file = kubevirt.join("api/openapi-spec/swagger.json");
        let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let mut document: Json = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        Ok(Shapes { definitions: document["definitions"].take() })
    }

    fn followed<'a>(&'a self, shape: &'a Json) -> &'a Json {
        match shape["$ref"].as_str().and_then(|to| to.strip_prefix("#/definitions/")) {
            Some(name) => &self.definitions[name],
            None => shape,
        }
    }

    /// The shape of what stands at a place of a manifest of `kind`; null where nothing is known.
    pub(crate) fn at(&self, kind: &str, path: &Path) -> &Json {
        let group = if kind == "VirtualMachinePool" { "v1beta1" } else { "v1" };
        let root = &self.definitions[format!("{group}.{kind}")];
        path.iter().fold(root, |shape, step| {
            let shape = self.followed(shape);
            match step {
                Step::Member(name) if shape["properties"][name].is_null() => &shape["additionalProperties"],
                Step::Member(name) => &shape["properties"][name],
                Step::Item(_) => &shape["items"],
            }
        })
    }

    /// The names of an object's fields.
    pub(crate) fn fields<'a>(&'a self, shape: &'a Json) -> Vec<&'a String> {
        let properties = self.followed(shape)["properties"].as_object();
        properties.into_iter().flatten().map(|(name, _)| name).collect()
    }

    /// A value that the shape of the field `name` takes, mostly.
    pub(crate) fn value(&self, name: &str, shape: &Json, random: &mut Rng) -> Tree {
        self.made(name, shape, DEPTH, random)
    }

    fn made(&self, name: &str, shape: &Json, depth: usize, random: &mut Rng) -> Tree {
        let reference = shape["$ref"].as_str().unwrap_or_default();
        if reference.ends_with("Quantity") {
            return words::quantity(random);
        }
        if reference.ends_with("IntOrString") {
            return words::port(random);
        }
        let shape = self.followed(shape);
        match shape["type"].as_str() {
            Some("boolean") => Tree::Scalar(random.bool().to_string()),
            Some("integer" | "number") => words::number(random),
            Some("string") => match shape["enum"].as_array().and_then(|all| random.choice(all)) {
                Some(word) => Tree::text(word.as_str().unwrap_or_default()),
                None => words::word(name, random),
            },
            Some("array") if depth == 0 => Tree::List(Vec::new()),
            Some("array") => {
                let items = 0..random.usize(1..=2);
                Tree::List(items.map(|_| self.made(name, &shape["items"], depth - 1, random)).collect())
            }
            _ if depth == 0 => Tree::Map(Vec::new()),
            _ => self.object(shape, depth - 1, random),
        }
    }

    fn object(&self, shape: &Json, depth: usize, random: &mut Rng) -> Tree {
        let mut members = Vec::new();
        let required: Vec<&str> = shape["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let wanted = random.usize(0..=2);
        let mut fields: Vec<&String> = self.fields(shape);
        random.shuffle(&mut fields);
        for name in fields {
            let is_required = required.contains(&name.as_str());
            if is_required || members.len() < wanted {
                members.push((name.clone(), self.made(name, &shape["properties"][name], depth, random)));
            }
        }
        if shape["additionalProperties"].is_object() {
            members.push((words::key(random), self.made("value", &shape["additionalProperties"], depth, random)));
        }
        Tree::Map(members)
    }
}
