//! Children of a process, and users and groups by name.

use std::fs;

/// The children of a process; `None` where the kernel does not tell.
pub(super) fn children(pid: i32) -> Option<Vec<i32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    Some(text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

/// A user: number, name, primary group and home folder.
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) name: String,
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
        let home = fields.get(5).filter(|home| !home.is_empty()).unwrap_or(&"/");
        let (name, home) = (fields[0].to_owned(), (*home).to_owned());
        wanted.then_some(User { uid, name, gid, home })
    })
}

/// What a user is called in `/etc/passwd`.
pub fn user_name(uid: u32) -> Option<String> {
    user(&uid.to_string()).map(|user| user.name)
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

/// Returns the groups that a user is in: `group` and those of `/etc/group` that name it, as
/// `getgrouplist` does.
pub(super) fn groups_of(user: &str, group: u32) -> Vec<u32> {
    groups_in(&fs::read_to_string("/etc/group").unwrap_or_default(), user, group)
}

fn groups_in(text: &str, user: &str, group: u32) -> Vec<u32> {
    let mut groups = vec![group];
    for line in text.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, number, members] = fields.as_slice() else { continue };
        let Ok(number) = number.parse() else { continue };
        if members.split(',').any(|member| member.trim() == user) && !groups.contains(&number) {
            groups.push(number);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_in_its_own_group_and_in_those_that_name_it() {
        let text = "root:x:0:\nadm:x:4:syslog,ana\nsudo:x:27:bob\nana:x:1000:\nbroken\nvideo:x:44:ana, bob\nana2:x:5:anna\n";
        assert_eq!(groups_in(text, "ana", 1000), [1000, 4, 44]);
        assert_eq!(groups_in(text, "nobody", 7), [7]);
        let nobody = user("nobody").unwrap();
        assert_eq!(
            (user(&nobody.uid.to_string()).unwrap().name, nobody.name),
            ("nobody".into(), "nobody".into())
        );
        assert!(user("no such user").is_none() && group("no such group").is_none());
    }
}
