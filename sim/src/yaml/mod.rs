//! YAML as a tree in which every key and value knows its place, and a cursor to read it with.
//!
//! [`documents`] and [`read`] are the only functions that know the YAML crate. [`Cursor`] is how manifests are decoded and
//! checked. [`Pieces`] cuts a long text. Nothing here knows a field of Kubernetes.

mod cursor;
mod decode;
mod every_error;
mod json;
mod layout;
mod node;
mod pieces;
mod problem;
mod record;
mod salvage;

pub use cursor::{Cursor, Place, Scalar};
pub use every_error::{EveryError, every_error};
pub use layout::Document;
pub use node::{ByteSpan, Key, Node, Pos, Value, YamlError, documents, read};
pub(crate) use pieces::json_list_at;
pub use pieces::{PIECE_LIMIT, Piece, PieceKind, Pieces};
pub use problem::{Problem, Problems, Severity};
pub use record::Record;
pub(crate) use salvage::documents_of;
pub use salvage::{Broken, salvage};
