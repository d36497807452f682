//! Objects as a cluster serves them, and long texts that are checked piece by piece.

use crate::manifest::In::Vmi;
use crate::manifest::{errors, manifest, one};
use vmhealth_sim::check::{Checked, Names, Options, Remembered, check, check_piece};
use vmhealth_sim::yaml::{Pieces, Pos, YamlError};

/// What a cluster adds to `metadata`, and `status`.
const METADATA: &str = "  name: vm
  namespace: shop
  creationTimestamp: CREATED
  generation: 2
  resourceVersion: \"123456\"
  uid: 6f1c2d3e-0000-4000-8000-000000000001
  finalizers: [kubevirt.io/virtualMachineControllerFinalize]
  annotations: {kubevirt.io/latest-observed-api-version: v1, kubevirt.io/storage-observed-api-version: v1}
  managedFields:
  - apiVersion: kubevirt.io/v1
    fieldsType: FieldsV1
    fieldsV1:
      f:metadata:
        f:finalizers:
          .: {}
          v:\"kubevirt.io/virtualMachineControllerFinalize\": {}
      f:status:
        f:conditions:
          k:{\"type\":\"Ready\"}:
            .: {}
            f:status: {}
    manager: virt-controller
    operation: Update
    subresource: status
    time: \"2026-10-01T09:30:00Z\"
";
const STATUS: &str = "\
status:
  conditions:
  - lastProbeTime: null
    lastTransitionTime: \"2026-10-01T09:30:00Z\"
    status: \"True\"
    type: Ready
  - lastProbeTime: null
    lastTransitionTime: null
    message: 'cannot migrate VMI: PVC root is not shared'
    reason: DisksNotLiveMigratable
    status: \"False\"
    type: LiveMigratable
  created: true
  desiredGeneration: 2
  observedGeneration: 2
  printableStatus: Running
  ready: true
  runStrategy: Always
  volumeSnapshotStatuses:
  - {enabled: false, name: seed, reason: 'Snapshot is not supported for this volumeSource type [seed]'}
";

fn served(probe: &str, created: &str) -> String {
    let text = manifest(&[(Vmi, probe)]) + STATUS;
    text.replace("metadata: {name: vm}\n", &format!("metadata:\n{}", METADATA.replace("CREATED", created)))
}

/// `kubectl apply -f` of what `kubectl get -o yaml` printed.
#[test]
fn an_object_that_a_cluster_serves_is_taken() {
    for created in ["null", "\"2026-10-01T09:30:00Z\""] {
        let text = served("livenessProbe: {tcpSocket: {port: 80}}", created);
        assert_eq!(errors(&one(&text)), Vec::<String>::new(), "{text}");
        let typo = text.replace("tcpSocket", "tcpSockets");
        assert!(!errors(&one(&typo)).is_empty(), "{typo}");
    }
}

/// The manifests and errors of a text that comes `step` bytes at a time, documents above `whole` in pieces.
fn in_pieces(text: &str, whole: usize, step: usize) -> (Vec<Checked>, Vec<YamlError>) {
    let (mut pieces, mut done, mut come) = (Pieces::of_documents_longer_than(whole), 0, 0);
    let (mut manifests, mut refused, mut names) = (Vec::new(), Vec::new(), Names::default());
    while come < text.len() {
        come = text.ceil_char_boundary(come + step);
        let (found, taken) = pieces.cut(&text[done..come], come == text.len()).unwrap_or_else(|e| panic!("{e}"));
        for piece in found {
            match check_piece(&piece, &Options::default(), &Remembered::default()) {
                Ok(mut checks) => {
                    names.compare("", &mut checks);
                    manifests.extend(checks.manifests);
                }
                Err(error) => refused.push(error),
            }
        }
        done += taken;
    }
    assert_eq!(done, text.len());
    (manifests, refused)
}

/// A span is of the piece, all else of the whole text.
fn without_spans(mut manifests: Vec<Checked>) -> Vec<Checked> {
    manifests.iter_mut().flat_map(|m| &mut m.findings).for_each(|finding| finding.span = Default::default());
    manifests.iter_mut().for_each(|m| m.name_at.1 = Default::default());
    // Nobody reads them, so a piece has none.
    manifests.iter_mut().for_each(|m| m.ignored.retain(|(path, _)| path != "metadata.managedFields"));
    for vm in manifests.iter_mut().flat_map(|m| &mut m.vm) {
        vm.ignored.retain(|(path, _)| path != "metadata.managedFields");
    }
    manifests
}

/// Piece by piece the same is found at the same places.
#[test]
fn pieces_of_a_list_are_what_the_list_is() {
    let items: Vec<String> = ["successThreshold: 2", "periodSeconds: x", "failureThreshold: 3"]
        .iter()
        .map(|more| served(&format!("livenessProbe: {{tcpSocket: {{port: 80}}, {more}}}"), "null"))
        .collect();
    let item = |text: &String| {
        let lines: String = text.lines().map(|line| format!("  {line}\n")).collect();
        format!("-{}", &lines[1..])
    };
    let yaml = format!("apiVersion: v1\nitems:\n{}kind: List\n", items.iter().map(item).collect::<String>());
    let documents = format!("{}---\n{yaml}---\n{}", items[0], items[1]);
    let flow = |value: &str| value.replace(['\n'], "").replace('\'', "\"");
    let vm = "{\"apiVersion\":\"kubevirt.io/v1\",\"kind\":\"VirtualMachine\",\"metadata\":{\"name\":\"a\"},\n\"spec\":{\"runStrategy\":3}}";
    let json = format!("{{\"kind\":\"List\",\"items\":[{vm}, {}]}}", flow(vm));
    for (text, manifests) in [(&yaml, 3), (&documents, 5), (&json, 2)] {
        let whole = without_spans(check(text, &Options::default()).unwrap().manifests);
        assert_eq!(whole.len(), manifests, "{text}");
        for (limit, step) in [(0, 1 << 20), (0, 61), (1 << 20, 1 << 20)] {
            let (found, refused) = in_pieces(text, limit, step);
            assert_eq!((without_spans(found), refused), (whole.clone(), vec![]), "{limit}, {step}: {text}");
        }
    }
}

/// One bad item leaves the others alone; a long text that only looks like a list is named.
#[test]
fn what_is_wrong_with_a_piece() {
    let item = "- kind: VirtualMachine\n  spec: {}\n";
    let (found, refused) = in_pieces(&format!("items:\n{item}- a: [\n{item}kind: List\n"), 0, 1 << 20);
    assert_eq!((found.len(), refused.len()), (2, 1), "{refused:?}");
    assert!((4..=5).contains(&refused[0].pos.line), "{refused:?}");
    let (_, refused) = in_pieces(&format!("kind: ConfigMap\nitems:\n{item}"), 0, 1 << 20);
    assert_eq!(refused.iter().map(|e| e.pos).collect::<Vec<_>>(), [Pos { line: 1, column: 1 }]);
    assert!(refused[0].message.contains("no list"), "{refused:?}");
}
