use std::fs;
use std::os::unix::fs::symlink;

use axum::http::Request as HttpRequest;
use tempfile::TempDir;
use tower_service::Service;

use super::*;

/// A folder with a secret beside it.
fn site() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (name, text) in [
        ("secret", "hunter2"),
        ("public/index.html", "home"),
        ("public/a b&.txt", "text"),
        ("public/app.js", "script"),
        ("public/sub/page.html", "page"),
        ("public/.env", "hunter2"),
        ("public/.git/config", "hunter2"),
        ("public/.well-known/acme", "token"),
    ] {
        write(name, text);
    }
    let public = folder.path().join("public");
    symlink("../secret", public.join("out")).unwrap();
    symlink(folder.path(), public.join("up")).unwrap();
    symlink("app.js", public.join("inside")).unwrap();
    symlink("/proc/self/environ", public.join("proc")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, public.join("pipe"), rustix::fs::Mode::RUSR).unwrap();
    folder
}

fn options(folder: &TempDir, more: &[(&str, &str)]) -> Options {
    let path = folder.path().join("public");
    let variable = |name: &str| match name {
        Variable::PATH => Some(path.display().to_string()),
        _ => more.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
    };
    Options::from_variables(variable).unwrap()
}

/// Asks for a path with headers; returns status and text.
fn ask(options: &Options, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut router = router(Site::new(options.clone()).unwrap());
        let mut request = HttpRequest::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = router.call(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    })
}

#[test]
fn files_of_the_folder_are_served_and_nothing_else() {
    let folder = site();
    let plain = options(&folder, &[]);
    for (path, expected) in [
        ("/", (200, "home")),
        ("/index.html", (200, "home")),
        ("/app.js?v=1", (200, "script")),
        ("/a%20b&.txt", (200, "text")),
        ("/sub/page.html", (200, "page")),
        ("/inside", (200, "script")),
        ("/.well-known/acme", (200, "token")),
    ] {
        assert_eq!(ask(&plain, path, &[]), (expected.0, expected.1.to_owned()), "{path}");
    }
    for path in [
        "/../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/sub/../../secret",
        "/sub/%2e%2e/%2e%2e/secret",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/out",
        "/up/secret",
        "/up/public/index.html",
        "/proc",
        "/pipe",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/sub/",
        "/nothing",
        "/a\\..\\secret",
        "/%00",
        "/app.js/",
        "/app.js/x",
    ] {
        let (status, text) = ask(&plain, path, &[]);
        assert_eq!(status, 404, "{path}: {text}");
        assert!(!text.contains("hunter2"), "{path}");
    }
}

#[test]
fn an_application_has_one_page_and_a_site_its_own_404() {
    let folder = site();
    let spa = options(&folder, &[(Variable::SPA, "true")]);
    assert_eq!(ask(&spa, "/users/7", &[]), (200, "home".to_owned()));
    assert_eq!(ask(&spa, "/users/john.doe", &[]), (200, "home".to_owned()));
    assert_eq!(ask(&spa, "/gone.js", &[("accept", "*/*")]).0, 404, "no page for a script");
    assert_eq!(ask(&spa, "/gone.js", &[("accept", "text/html,*/*")]).0, 200);
    fs::write(folder.path().join("public/404.html"), "own").unwrap();
    assert_eq!(ask(&spa, "/gone.js", &[]), (404, "own".to_owned()));
    assert_eq!(ask(&options(&folder, &[]), "/x", &[]), (404, "own".to_owned()));
}

#[test]
fn a_list_shows_what_is_served_and_escapes_names() {
    let folder = site();
    fs::write(folder.path().join("public/sub/<b>\"'.html"), "").unwrap();
    let listing = options(&folder, &[(Variable::LISTING, "true")]);
    let (status, text) = ask(&listing, "/sub/", &[]);
    assert_eq!(status, 200);
    assert!(text.contains("page.html") && text.contains("../"), "{text}");
    assert!(text.contains("&lt;b&gt;") && !text.contains("<b>"), "{text}");
    assert_eq!(ask(&listing, "/", &[]), (200, "home".to_owned()), "its own page comes first");
    fs::remove_file(folder.path().join("public/index.html")).unwrap();
    let (_, text) = ask(&listing, "/", &[]);
    assert!(text.contains("sub/") && !text.contains(".env") && !text.contains("../"), "{text}");
    assert_eq!(ask(&listing, "/up/", &[]).0, 404);
    assert_eq!(ask(&listing, "/.git/", &[]).0, 404);
}

#[test]
fn a_login_is_asked_for_and_half_of_one_is_refused() {
    let folder = site();
    let login =
        [(Variable::LOGIN, "true"), (Variable::USERNAME, "ana"), (Variable::PASSWORD, "hunter2")];
    let locked = options(&folder, &login);
    assert!(!format!("{locked:?}").contains("hunter2"));
    for (header, status) in [
        (None, 401),
        (Some("Basic YW5hOmh1bnRlcjI="), 200),
        (Some("Basic YW5hOmh1bnRlcjM="), 401),
        (Some("Basic YW5hOmh1bnRlcjI"), 401),
        (Some(""), 401),
    ] {
        let headers: Vec<_> = header.map(|value| ("authorization", value)).into_iter().collect();
        assert_eq!(ask(&locked, "/", &headers).0, status, "{header:?}");
    }
    for half in [&login[..1], &login[..2], &login[1..2], &login[2..]] {
        let variable = |name: &str| {
            half.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        assert!(Options::from_variables(variable).unwrap_err().contains("both"), "{half:?}");
    }
}
