//! Children of a process, and users and groups by name.

use std::fs;

/// The children of a process; `None` where the kernel does not tell.
pub(super) fn children(pid: i32) -> Option<Vec<i32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    Some(text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

/// A user: number, primary group and home folder.
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: String,
}

/// Finds a user by name or number in `/etc/passwd`, as PM2 does.
pub(super) fn user(name: &str) -> Option<User> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    let number: Option<u32> = name.parse().ok();
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        let wanted = fields[0] == name || number == Some(uid);
        wanted.then(|| User { uid, gid, home: fields.get(5).unwrap_or(&"/").to_string() })
    })
}

/// Finds a group by name or number in `/etc/group`.
pub(super) fn group(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let text = fs::read_to_string("/etc/group").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}
