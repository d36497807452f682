//! What vmhealth and its guest images are made of, as CycloneDX 1.5 (JSON): names, versions, licences, checksums, and who needs
//! whom. Out of `cargo metadata` and `Cargo.lock` for the tool, out of the lock of its packages for an image. Without times and
//! random numbers: the same sources give the same text.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use vmhealth_images::Recipe;

/// The package that the programs are made of.
const ROOT: &str = "xtask";

/// A bill of materials.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sbom {
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Serialize)]
struct Metadata {
    component: Component,
}

#[derive(Debug, Clone, Serialize)]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    reference: String,
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<License>,
}

#[derive(Debug, Clone, Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Debug, Clone, Serialize)]
struct License {
    expression: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    depends_on: Vec<String>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// Cargo could not be asked.
    #[error("cargo metadata: {0}")]
    Cargo(String),
    /// It, or the lock, says something unexpected.
    #[error("{0}")]
    Input(String),
}

/// What `cargo metadata` says (format version 1).
#[derive(Debug, Deserialize)]
struct Cargo {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

impl Sbom {
    fn new(component: Component, components: Vec<Component>, dependencies: Vec<Dependency>) -> Sbom {
        let metadata = Metadata { component };
        Sbom { bom_format: "CycloneDX", spec_version: "1.5", version: 1, metadata, components, dependencies }
    }

    /// The tool's, from its sources: what its programs are linked with on such a host, and what builds them; not what only tests
    /// need.
    pub fn of_tool(sources: &Path) -> Result<Sbom, SbomError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", "host-tuple"])
            .current_dir(sources)
            .output()
            .map_err(|e| SbomError::Cargo(e.to_string()))?;
        if !output.status.success() {
            return Err(SbomError::Cargo(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let said: Cargo = serde_json::from_slice(&output.stdout).map_err(|e| SbomError::Cargo(e.to_string()))?;
        let lock = std::fs::read_to_string(sources.join("Cargo.lock"));
        of_cargo(&said, &checksums(&lock.map_err(|e| SbomError::Input(format!("Cargo.lock: {e}")))?))
    }

    /// A guest image's.
    pub fn of_image(recipe: &Recipe) -> Result<Sbom, SbomError> {
        let packages = recipe.locked().map_err(|e| SbomError::Input(e.to_string()))?;
        let components = packages.into_iter().map(|package| {
            let (name, version) = (escaped(&package.name), escaped(&package.version));
            let purl = format!("pkg:deb/debian/{name}@{version}?arch={}", recipe.architecture);
            Component {
                kind: "library",
                reference: purl.clone(),
                name: package.name,
                version: package.version,
                purl: Some(purl),
                hashes: vec![Hash { alg: "SHA-256", content: package.sha256 }],
                licenses: Vec::new(),
            }
        });
        let image = Component {
            kind: "operating-system",
            reference: recipe.name.to_owned(),
            name: recipe.name.to_owned(),
            version: recipe.key(),
            purl: None,
            hashes: Vec::new(),
            licenses: Vec::new(),
        };
        Ok(Sbom::new(image, components.collect(), Vec::new()))
    }
}

fn of_cargo(said: &Cargo, checksums: &BTreeMap<(&str, &str), &str>) -> Result<Sbom, SbomError> {
    let packages: BTreeMap<&str, &Package> = said.packages.iter().map(|p| (p.id.as_str(), p)).collect();
    let needs: BTreeMap<&str, BTreeSet<&str>> = said.resolve.nodes.iter().map(Node::needs).collect();
    let root = said.packages.iter().find(|p| p.source.is_none() && p.name == ROOT);
    let root = root.ok_or_else(|| SbomError::Input(format!("cargo knows no package {ROOT}")))?;
    let (mut reached, mut left) = (BTreeSet::new(), vec![root.id.as_str()]);
    while let Some(id) = left.pop() {
        if reached.insert(id) {
            left.extend(needs.get(id).into_iter().flatten());
        }
    }
    let component = |id: &str| {
        let package = packages.get(id).ok_or_else(|| SbomError::Input(format!("cargo does not describe {id}")))?;
        Ok::<_, SbomError>(package.component(checksums))
    };
    let mut components = reached.iter().map(|id| component(id)).collect::<Result<Vec<_>, _>>()?;
    components.sort_by(|a, b| a.reference.cmp(&b.reference));
    let mut dependencies = Vec::new();
    for id in &reached {
        let needed = needs.get(id).into_iter().flatten().map(|id| Ok(component(id)?.reference));
        let mut depends_on = needed.collect::<Result<Vec<_>, SbomError>>()?;
        depends_on.sort();
        dependencies.push(Dependency { reference: component(id)?.reference, depends_on });
    }
    dependencies.sort_by(|a, b| a.reference.cmp(&b.reference));
    let own = component(&root.id)?;
    components.retain(|component| component.reference != own.reference);
    Ok(Sbom::new(Component { kind: "application", name: "vmhealth".into(), ..own }, components, dependencies))
}

impl Node {
    /// Whom it needs to run and to be built.
    fn needs(&self) -> (&str, BTreeSet<&str>) {
        let counts = |edge: &&Edge| edge.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"));
        (&self.id, self.deps.iter().filter(counts).map(|edge| edge.pkg.as_str()).collect())
    }
}

impl Package {
    fn component(&self, checksums: &BTreeMap<(&str, &str), &str>) -> Component {
        let (name, version) = (self.name.clone(), self.version.clone());
        let purl = format!("pkg:cargo/{}@{}", escaped(&name), escaped(&version));
        let checksum = checksums.get(&(name.as_str(), version.as_str()));
        // Cargo's older way to write a choice.
        let expression =
            self.license.as_ref().map(|license| license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR "));
        Component {
            kind: "library",
            reference: purl.clone(),
            // Ours are in no registry.
            purl: self.source.is_some().then_some(purl),
            hashes: checksum.map(|sum| Hash { alg: "SHA-256", content: (*sum).to_owned() }).into_iter().collect(),
            licenses: expression.map(|expression| License { expression }).into_iter().collect(),
            name,
            version,
        }
    }
}

/// Of `Cargo.lock`, by name and version.
fn checksums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    fn field<'a>(package: &'a str, name: &str) -> Option<&'a str> {
        let line = |line: &'a str| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"');
        package.lines().find_map(line)
    }
    let of_package = |package| field(package, "name").zip(field(package, "version")).zip(field(package, "checksum"));
    lock.split("[[package]]").filter_map(of_package).collect()
}

/// As a package URL wants it.
fn escaped(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    text.chars().map(|c| if plain(c) { c.to_string() } else { format!("%{:02X}", u32::from(c)) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// What the format's schema asks for (bom-1.5.schema.json), and that every reference leads somewhere.
    fn problems(sbom: &Sbom) -> Vec<String> {
        let json = serde_json::to_value(sbom).unwrap();
        let mut wrong = Vec::new();
        let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        if json["bomFormat"] != "CycloneDX" || json["specVersion"] != "1.5" || json["version"] != 1 {
            wrong.push("the head".to_owned());
        }
        let all = json["components"].as_array().unwrap().iter().chain([&json["metadata"]["component"]]);
        let mut known = BTreeSet::new();
        for component in all {
            let name = &component["name"];
            let kind = component["type"].as_str().unwrap_or_default();
            if !["application", "library", "operating-system"].contains(&kind)
                || !text(name)
                || !text(&component["version"])
            {
                wrong.push(format!("{component}"));
            }
            if !text(&component["bom-ref"]) || !known.insert(component["bom-ref"].as_str().unwrap().to_owned()) {
                wrong.push(format!("{name}: its reference"));
            }
            let purl = component["purl"].as_str().unwrap_or("pkg:cargo/own@0");
            let of_url = |c: char| c.is_ascii_alphanumeric() || "-._~:/@%?=".contains(c);
            if !purl.starts_with("pkg:") || !purl.contains('@') || !purl.chars().all(of_url) {
                wrong.push(purl.to_owned());
            }
            for hash in component["hashes"].as_array().into_iter().flatten() {
                let content = hash["content"].as_str().unwrap_or_default();
                if hash["alg"] != "SHA-256" || content.len() != 64 || !content.bytes().all(|b| b.is_ascii_hexdigit()) {
                    wrong.push(format!("{name}: {hash}"));
                }
            }
            for license in component["licenses"].as_array().into_iter().flatten() {
                if !text(&license["expression"]) || license["expression"].as_str().unwrap_or_default().contains('/') {
                    wrong.push(format!("{name}: {license}"));
                }
            }
        }
        let mut seen = BTreeSet::new();
        for dependency in json["dependencies"].as_array().into_iter().flatten() {
            let ends = [&dependency["ref"]].into_iter().chain(dependency["dependsOn"].as_array().unwrap());
            wrong.extend(ends.filter(|end| !known.contains(end.as_str().unwrap_or_default())).map(Value::to_string));
            if !seen.insert(dependency["ref"].to_string()) {
                wrong.push(format!("twice: {}", dependency["ref"]));
            }
        }
        wrong
    }

    #[test]
    fn the_tools_own() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let sbom = Sbom::of_tool(sources).unwrap();
        assert_eq!(problems(&sbom), Vec::<String>::new());
        let named = |name: &str| sbom.components.iter().find(|c| c.name == name);
        for name in ["hyper", "serde", "vmhealth-sim", "vmhealth-clock"] {
            assert!(named(name).is_some(), "{name}");
        }
        // Only tests need these, and only Windows the last.
        for name in ["insta", "proptest", "testcontainers", "vmhealth-tests", ROOT, "windows-sys"] {
            assert!(named(name).is_none(), "{name}");
        }
        // Whatever comes from a registry has its checksum and its licence.
        for component in sbom.components.iter().filter(|c| c.purl.is_some()) {
            assert!(component.hashes.len() == 1 && component.licenses.len() == 1, "{component:?}");
        }
        assert_eq!(sbom.dependencies.len(), sbom.components.len() + 1);
        let again = Sbom::of_tool(sources).unwrap();
        assert_eq!(serde_json::to_string(&sbom).unwrap(), serde_json::to_string(&again).unwrap());
    }

    #[test]
    fn an_images() {
        for recipe in Recipe::all() {
            let sbom = Sbom::of_image(recipe).unwrap();
            assert_eq!(problems(&sbom), Vec::<String>::new(), "{}", recipe.name);
            assert_eq!(sbom.components.len(), recipe.locked().unwrap().len());
            let kernel = sbom.components.iter().find(|c| c.name.starts_with("linux-image-")).unwrap();
            assert!(kernel.purl.as_ref().unwrap().ends_with(&format!("?arch={}", recipe.architecture)), "{kernel:?}");
            assert!(kernel.hashes.len() == 1);
        }
        assert_eq!(escaped("1:2.4+b1~rc"), "1%3A2.4%2Bb1~rc");
    }
}
