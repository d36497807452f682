//! Two user data in one: a MIME message whose first part is the user's, whatever it is.
//!
//! cloud-init finds out by itself what a text/plain part is; a gzip needs its type, and a user's own MIME message
//! becomes a nested part with its own headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

const BOUNDARY: &str = "==vmhealth-part==";

/// What goes into the seed's `user-data`.
pub fn user_data(users: Option<&[u8]>, ours: Option<&str>) -> Vec<u8> {
    match (users, ours) {
        (Some(users), None) => users.to_vec(),
        (None, Some(ours)) => ours.as_bytes().to_vec(),
        (None, None) => b"#cloud-config\n{}\n".to_vec(),
        (Some(users), Some(ours)) => {
            let mut message =
                format!("Content-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\nMIME-Version: 1.0\n\n").into_bytes();
            push_part(&mut message, &users_part(users));
            push_part(&mut message, &encoded("text/cloud-config", ours.as_bytes()));
            message.extend_from_slice(format!("--{BOUNDARY}--\n").as_bytes());
            message
        }
    }
}

fn push_part(message: &mut Vec<u8>, part: &[u8]) {
    message.extend_from_slice(format!("--{BOUNDARY}\n").as_bytes());
    message.extend_from_slice(part);
    message.push(b'\n');
}

fn users_part(data: &[u8]) -> Vec<u8> {
    let starts = |prefix: &str| data.get(..prefix.len()).is_some_and(|d| d.eq_ignore_ascii_case(prefix.as_bytes()));
    if starts("content-type:") || starts("mime-version:") {
        return data.to_vec();
    }
    let kind = if data.starts_with(&[0x1f, 0x8b]) { "application/gzip" } else { "text/plain" };
    encoded(kind, data)
}

fn encoded(kind: &str, data: &[u8]) -> Vec<u8> {
    let mut part =
        format!("Content-Type: {kind}; charset=\"utf-8\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n");
    for line in BASE64.encode(data).as_bytes().chunks(76) {
        part.push_str(&String::from_utf8_lossy(line));
        part.push('\n');
    }
    part.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_part_comes_first_and_unchanged() {
        let ours = "#cloud-config\nruncmd: [b]\n";
        assert_eq!(user_data(None, Some(ours)), ours.as_bytes());
        assert_eq!(user_data(Some(b"#!/bin/sh\n"), None), b"#!/bin/sh\n");
        let script = "#!/bin/sh\necho hi\n";
        let message = String::from_utf8(user_data(Some(script.as_bytes()), Some(ours))).unwrap();
        let (first, second) =
            (message.find(&BASE64.encode(script)).unwrap(), message.find(&BASE64.encode(ours)).unwrap());
        assert!(first < second, "{message}");
        let mime = "Content-Type: multipart/mixed; boundary=\"x\"\n\n--x\n\n#cloud-config\n--x--\n";
        let message = String::from_utf8(user_data(Some(mime.as_bytes()), Some(ours))).unwrap();
        assert!(message.contains(mime), "a MIME message is nested as it is: {message}");
        let message = String::from_utf8(user_data(Some(&[0x1f, 0x8b, 8]), Some(ours))).unwrap();
        assert!(message.contains("application/gzip"), "{message}");
    }
}
