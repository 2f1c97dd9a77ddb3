//! The command with which a person undoes a change where the operator cannot.
//!
//! It is one patch, as the operator's own restoration: the flag and the record go together. Removed one after the other,
//! the Deployment controller would copy the record onto the ReplicaSet that it takes up again. The patch is put together
//! by kubectl when the command is run, from the object as it is then, because no value of the variable may be in a status.

use serde_json::json;

use super::record::{ANNOTATION, Change};
use super::restore::{self, Outcome};
use super::view::Workload;

/// Stands before the value from which sed takes the flag.
const MARK: &str = "<tlsdebug>";

/// A command for a POSIX shell, on one line. `None`: it would have to hold a value that somebody has written since.
#[must_use]
pub fn restore_command(workload: &Workload, change: &Change) -> Option<String> {
    let object = format!(
        "{}/{} -n {}",
        workload.kind.to_string().to_lowercase(),
        workload.name(),
        workload.metadata.namespace.as_deref().unwrap_or_default()
    );
    if change.refers_to.is_some() {
        // Which of several entries is meant, and under which name another one waits, only positions can say. No value of
        // anybody's is in this patch: the text that was written is a reference and the flag.
        let (patch, outcome) = restore::plan_by_hand(workload, change);
        let command = format!("kubectl patch {object} --type json --patch '{}'", json!(patch));
        return (outcome != Outcome::FlagRemoved).then_some(command);
    }
    // What has special meaning in a regular expression and can be in a flag.
    let flag = change.flag().replace('.', "\\.");
    Some(format!(
        "kubectl get {object} -o go-template='{}' | \
         sed -e 's/{MARK}\\(\".*\\) {flag}\\([ \"]\\)/\\1\\2/' -e 's/{MARK}\"{flag} /\"/' -e 's/{MARK}\"{flag}\"/\"\"/' -e 's/{MARK}//' | \
         kubectl patch {object} --type json --patch-file /dev/stdin",
        template(
            change,
            workload
                .container(&change.container)
                .map_or("containers", |(place, _)| place.list())
        )
    ))
}

/// A Go template that makes a JSON Patch of a workload. Go quotes a value as YAML does, which kubectl takes as well.
fn template(change: &Change, containers: &str) -> String {
    let Change {
        container, variable, ..
    } = change;
    let record = ANNOTATION.replace('/', "~1");
    let list = format!("/spec/template/spec/{containers}/{{{{$c}}}}/env");
    let remove = |path: &str| format!(r#"{{"op":"remove","path":"{path}"}}"#);
    let replace =
        format!(r#"{{"op":"replace","path":"{list}/{{{{$e}}}}/value","value":{MARK}{{{{printf "%q" $v.value}}}}}}"#);
    let mut edit = replace;
    if change.entry_created {
        let entry = remove(&format!("{list}/{{{{$e}}}}"));
        let whole = if change.list_created {
            format!(
                "{{{{if eq (len $k.env) 1}}}}{}{{{{else}}}}{entry}{{{{end}}}}",
                remove(&list)
            )
        } else {
            entry
        };
        edit = format!(
            "{{{{if eq $v.value \"{}\"}}}}{whole}{{{{else}}}}{edit}{{{{end}}}}",
            change.flag()
        );
    }
    format!(
        "[{{{{if index .metadata.annotations \"{ANNOTATION}\"}}}}{remove_record},{{{{end}}}}\
         {{{{range $c, $k := .spec.template.spec.{containers}}}}}{{{{if eq $k.name \"{container}\"}}}}\
         {{{{range $e, $v := $k.env}}}}{{{{if eq $v.name \"{variable}\"}}}}{{{{if $v.value}}}}\
         {{\"op\":\"test\",\"path\":\"{list}/{{{{$e}}}}\",\"value\":{{\"name\":\"{variable}\",\"value\":{{{{printf \"%q\" $v.value}}}}}}}},\
         {edit},{{{{end}}}}{{{{end}}}}{{{{end}}}}{{{{end}}}}{{{{end}}}}\
         {{\"op\":\"test\",\"path\":\"/metadata/uid\",\"value\":\"{{{{.metadata.uid}}}}\"}}]",
        remove_record = remove(&format!("/metadata/annotations/{record}")),
    )
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    use super::*;

    /// What it does in a shell is tested on a cluster; this is how it looks.
    #[test]
    fn command() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "orders", "namespace": "demo"},
            "spec": {"selector": {}, "template": {}}
        }))
        .expect("a Deployment");
        let change = Change {
            container: "msr".to_owned(),
            variable: "JAVA_CUSTOM_OPTS".to_owned(),
            appended: " -Djavax.net.debug=ssl,handshake".to_owned(),
            entry_created: false,
            list_created: false,
            refers_to: None,
            sha256_before: None,
            sha256_written: String::new(),
            flag_present_before: false,
            copies_before: 0,
            owners: vec![],
        };
        insta::assert_snapshot!(restore_command(&Workload::from(deployment), &change).expect("a command"));
    }
}
