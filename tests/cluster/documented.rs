//! Every command line that the README and the pages in `docs/` show, run as they are written, in the order of a reader who
//! begins with nothing. Alone on its cluster: the chart is installed for all of it, and the definition is removed in the end.

use std::fs;

use serde_json::{Value, json};
use tlsdebug::session::{Phase, TLSDebugSessionStatus};

use crate::support::kubectl::kubectl;
use crate::support::shell::Shell;
use crate::support::{Scenario, scenario};

const README: &str = include_str!("../../README.md");

/// What is run by other tests, or cannot be run on the cluster.
const ELSEWHERE: &[&str] = &[
    // The program under test is what it would install, and the archive is installed by krew in tests/dist.sh.
    "cargo install --path .",
    "kubectl krew install --manifest dist/tlsdebug.yaml --archive dist/kubectl-tlsdebug-0.1.0-linux-amd64.tar.gz",
    // There is no Docker: tests/image.sh runs the same steps.
    "docker build -t REGISTRY/tlsdebug:0.1.0 . && docker push REGISTRY/tlsdebug:0.1.0",
    "docker build --build-arg FEATURES=plugin --tag REGISTRY/tlsdebug:0.1.0-plugin .",
    "make demo",
    // In a pod: sidecar::a_sidecar_tells_what_it_finds.
    "tlsdebug tail --self --container msr --pod orders-msr-0 --metrics-address 0.0.0.0:8081",
    // The controllers of these tools are not there; drift:: has what they do to a session.
    "argocd app set orders --self-heal=false",
    "flux suspend kustomization orders",
    "flux resume kustomization orders",
    // Named for what it does, not to be run; restoration:: runs it.
    "kubectl rollout undo",
    // Named without what they are run on.
    "kubectl tlsdebug run",
    "kubectl tlsdebug start",
];

#[test]
#[ignore = "needs a cluster of its own: tests/run.sh"]
fn commands_of_the_documentation() {
    scenario("documented", async |scenario| {
        scenario.kill_operator();
        let definition = "tlsdebugsessions.tlsdebug.io";
        kubectl(&["delete", "customresourcedefinition", definition]).done();
        let shell = Shell::new(scenario);
        deploy(scenario).await;
        let before = scenario.snapshot("orders-msr").await;

        the_program(&shell);
        a_log_that_is_there(scenario, &shell).await;
        on_premise(&shell);
        without_an_operator(scenario, &shell).await;
        shell.run("kubectl apply --server-side --filename crds/", &[]).done();
        kubectl(&["delete", "customresourcedefinition", definition]).done();
        install(scenario, &shell);
        from_the_terminal(scenario, &shell).await;
        by_manifest(scenario, &shell).await;
        scenario.settled("orders-msr").await;
        scenario.assert_as_before("orders-msr", &before).await;
        out_of_order(scenario, &shell).await;
        what_is_used_otherwise(scenario, &shell);
        uninstall(scenario, &shell);
        shell.assert_all_were_run(ELSEWHERE);
    });
}

/// What `make demo` shows, in the scenario's namespace.
async fn deploy(scenario: &Scenario) {
    for manifest in [
        include_str!("../../examples/demo/bank.yaml"),
        include_str!("../../examples/demo/orders.yaml"),
    ] {
        let own = manifest
            .replace("namespace: demo", &format!("namespace: {}", scenario.namespace))
            .replace("bank.demo.svc", &format!("bank.{}.svc", scenario.namespace));
        for object in own.split("\n---\n") {
            let mut object: Value = serde_norway::from_str(object).unwrap();
            let name = object["metadata"]["name"].clone();
            if let Some(template) = object["spec"].get_mut("template") {
                // By this label the scenarios know a workload's pods.
                template["metadata"]["labels"]["app"] = name;
                let variables = template["spec"]["containers"][0]["env"].as_array_mut().unwrap();
                variables.extend(
                    ["TLSDEBUG_START_SECONDS", "TLSDEBUG_STOP_SECONDS"].map(|name| json!({"name": name, "value": "0"})),
                );
            }
            scenario.apply(&object);
        }
    }
    scenario.rolled_out("bank").await;
    scenario.rolled_out("orders-msr").await;
}

fn the_program(shell: &Shell<'_>) {
    shell
        .run("ln -s ~/.cargo/bin/tlsdebug ~/.cargo/bin/kubectl-tlsdebug", &[])
        .done();
    assert!(shell.run("kubectl tlsdebug --help", &[]).done().contains("restore"));
    assert!(shell.run("tlsdebug completions bash", &[]).done().contains("complete"));
    let folder = ("/usr/local/bin", "~/.cargo/bin");
    shell
        .run(
            "kubectl tlsdebug completions kubectl > /usr/local/bin/kubectl_complete-tlsdebug",
            &[folder],
        )
        .done();
    shell
        .run("chmod +x /usr/local/bin/kubectl_complete-tlsdebug", &[folder])
        .done();
    let completed = shell.unwritten("kubectl __complete tlsdebug rest").done();
    assert!(completed.starts_with("restore"), "{completed}");
}

/// A log of tests/logs.
fn log(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/logs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

async fn a_log_that_is_there(scenario: &Scenario, shell: &Shell<'_>) {
    let expired = log("17.0.15-expired-client.log");
    fs::create_dir(shell.file("logs")).unwrap();
    for file in ["server.log", "client.log", "logs/yesterday.log"] {
        fs::write(shell.file(file), &expired).unwrap();
    }
    for line in [
        "tlsdebug diagnose server.log",
        "tlsdebug diagnose logs/",
        "tlsdebug diagnose client.log server.log",
    ] {
        let said = shell.run(line, &[]);
        assert_eq!(said.code, Some(1), "{}", said.text());
        assert!(
            said.stdout.starts_with("Failures found: ") && said.stdout.contains("CertificateExpired"),
            "{}",
            said.stdout
        );
    }
    shell.run("tlsdebug diagnose --output html client.log server.log > page.html", &[]);
    let page = fs::read_to_string(shell.file("page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("CertificateExpired"));

    let mut tail = shell.start(
        "tail",
        "tlsdebug tail --file /var/log/app/console.log",
        &[("/var/log/app/console.log", "console.log")],
    );
    fs::write(shell.file("console.log"), &expired).unwrap();
    tail.printed(scenario, "\"cause\":\"CertificateExpired\"").await;
    tail.signal("TERM");
    tail.exit_code(scenario).await;
    // A program that prints to its standard error, as JSSE does.
    fs::write(shell.file("app.sh"), "cat server.log >&2").unwrap();
    let own = ("java -jar app.jar", "sh app.sh");
    let piped = shell.run("java -jar app.jar 2>&1 | tee >(tlsdebug tail --stdin >&2)", &[own]);
    assert!(
        piped.stdout.as_bytes() == expired,
        "the application's log does not go on"
    );
    assert!(
        piped.stderr.contains("\"cause\":\"CertificateExpired\""),
        "{}",
        piped.stderr
    );
}

fn on_premise(shell: &Shell<'_>) {
    let folder = "profiles/IS_default/configuration";
    fs::create_dir_all(shell.file(folder)).unwrap();
    fs::create_dir_all(shell.file("profiles/IS_default/logs")).unwrap();
    let config = shell.file(folder).join("custom_wrapper.conf");
    let text = "wrapper.java.additional.201=-Dorders.region=eu\r\n";
    fs::write(&config, text).unwrap();
    fs::write(
        shell.file("profiles/IS_default/logs/wrapper.log"),
        log("17.0.15-expired-client.log"),
    )
    .unwrap();
    let of = |command: &str| format!("tlsdebug wrapper {command} --config {folder}/custom_wrapper.conf");
    assert_eq!(shell.run(&of("status"), &[]).code, Some(1));
    shell.run(&of("enable"), &[]).done();
    assert!(fs::read_to_string(&config).unwrap().contains("javax.net.debug"));
    let said = shell.run("tlsdebug diagnose profiles/IS_default/logs/wrapper.log", &[]);
    assert!(said.stdout.contains("CertificateExpired"), "{}", said.text());
    shell.run(&of("disable"), &[]).done();
    assert_eq!(fs::read_to_string(&config).unwrap(), text);
}

async fn without_an_operator(scenario: &Scenario, shell: &Shell<'_>) {
    let preview = shell
        .run("kubectl tlsdebug run deploy/orders-msr --dry-run", &[])
        .done();
    assert!(preview.contains("Nothing was changed."), "{preview}");
    let mut run = shell.start("run", "kubectl tlsdebug run deploy/orders-msr --first-failure", &[]);
    assert_eq!(run.exit_code(scenario).await, Some(1), "{}", run.text());
    assert!(run.text().contains("MissingIntermediate"), "{}", run.text());
    scenario.settled("orders-msr").await;
    for line in [
        "kubectl tlsdebug restore deploy/orders-msr --force",
        "kubectl tlsdebug restore deploy/NAME --force",
    ] {
        // The terminal dies: without exec the signal would meet kubectl and not the plugin.
        let killed = scenario.start_plugin("killed", &["run", "deploy/orders-msr"]);
        killed.printed(scenario, "Capturing").await;
        drop(killed);
        assert!(scenario.has_flag("orders-msr").await);
        let own = [("NAME", "orders-msr")];
        shell.run(line, if line.contains("NAME") { &own } else { &[] }).done();
        assert!(!scenario.has_flag("orders-msr").await);
        scenario.settled("orders-msr").await;
    }
    let said = shell.run("kubectl tlsdebug restore deploy/orders-msr", &[]).done();
    assert!(said.contains("carries no change of tlsdebug"), "{said}");
}

fn install(scenario: &Scenario, shell: &Shell<'_>) {
    let line = "helm install tlsdebug charts/tlsdebug --namespace tlsdebug --create-namespace --set \
                image.repository=REGISTRY/tlsdebug";
    shell.run(line, &[("REGISTRY", "tlsdebug.local")]).done();
    shell
        .unwritten("kubectl --namespace tlsdebug rollout status deployment/tlsdebug --timeout 90s")
        .done();
    shell.run("helm test tlsdebug --namespace tlsdebug", &[]).done();
    let doctor = shell.run("kubectl tlsdebug doctor", &[]);
    assert_eq!(doctor.code, Some(0), "{}: {}", scenario.namespace, doctor.text());
}

async fn from_the_terminal(scenario: &Scenario, shell: &Shell<'_>) {
    let start = "kubectl tlsdebug start deploy/orders-msr --duration 10m --watch";
    let mut watched = shell.start("start", start, &[]);
    watched.printed(scenario, "MissingIntermediate (").await;
    let stdout = watched.stdout();
    let name = stdout
        .split("tlsdebug.io/")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .unwrap();
    let own = &[("NAME", name)];
    let list = shell.run("kubectl tlsdebug list", &[]).done();
    assert!(list.contains(name), "{list}");
    let list = "kubectl tlsdebug list --namespace orders";
    shell
        .run(
            list,
            &[("--namespace orders", &format!("--namespace {}", scenario.namespace))],
        )
        .done();
    let watch = shell.start("watch", "kubectl tlsdebug watch NAME", own);
    watch.printed(scenario, "MissingIntermediate").await;
    assert!(
        shell
            .run("kubectl describe tds NAME", own)
            .done()
            .contains("MissingIntermediate")
    );

    let pod = scenario
        .eventually("the pod without the flag to be gone", async || {
            let mut pods = scenario.pods("orders-msr").await;
            pods.pop().filter(|_| pods.is_empty())?.metadata.name
        })
        .await;
    let line = "kubectl exec POD -- sh -c 'cat /proc/*/cmdline' | grep -a javax.net.debug";
    shell.run(line, &[("POD", &pod)]).done();
    let said = shell.run("kubectl logs deploy/orders-msr | tlsdebug diagnose -", &[]);
    assert_eq!(said.code, Some(1), "{}", said.text());
    assert!(said.stdout.contains("MissingIntermediate"), "{}", said.text());

    let page = shell.run("kubectl tlsdebug report NAME --output html", own);
    assert!(page.stdout.starts_with("<!DOCTYPE html>") && page.stdout.contains("MissingIntermediate"));
    shell.run("kubectl tlsdebug stop NAME", own).done();
    assert_eq!(watched.exit_code(scenario).await, Some(1), "{}", watched.text());
    scenario.settled("orders-msr").await;

    let line = "kubectl tlsdebug start deploy/orders-msr --peer deploy/bank --watch";
    let mut both = shell.start("both", line, &[]);
    both.printed(scenario, "PeerRejectedCertificate (proven)").await;
    let stdout = both.stdout();
    let name = stdout
        .split("tlsdebug.io/")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .unwrap();
    shell.run("kubectl tlsdebug stop NAME", &[("NAME", name)]).done();
    assert_eq!(both.exit_code(scenario).await, Some(1), "{}", both.text());
    scenario.settled("orders-msr").await;
    scenario.settled("bank").await;
}

/// The README's manifest, and its end.
async fn by_manifest(scenario: &Scenario, shell: &Shell<'_>) {
    let manifest = README.lines().skip_while(|line| !line.starts_with("    apiVersion:"));
    let manifest: String = manifest
        .map_while(|line| line.strip_prefix("    "))
        .flat_map(|line| [line, "\n"])
        .collect();
    fs::write(shell.file("session.yaml"), manifest).unwrap();
    let namespace = ("NAMESPACE-OF-THE-WORKLOAD", scenario.namespace.as_str());
    let name = "orders-to-bank";
    apply_again(scenario, shell).await;
    let has_cause = |status: &TLSDebugSessionStatus| status.cause.as_deref() == Some("MissingIntermediate");
    scenario.status_with(name, "the cause", has_cause).await;
    for line in [
        "kubectl get tds --watch",
        "kubectl get tds --namespace NAMESPACE-OF-THE-WORKLOAD --watch",
    ] {
        let own: &[_] = if line.contains("NAMESPACE") { &[namespace] } else { &[] };
        let rows = shell.start("rows", line, own);
        rows.printed(scenario, "MissingIntermediate").await;
    }
    assert!(shell.run("kubectl explain tds.spec", &[]).done().contains("stopWhen"));
    let yaml = shell.run("kubectl get tds orders-to-bank -o yaml", &[]).done();
    assert!(yaml.contains("cause: MissingIntermediate"), "{yaml}");
    let stop = "kubectl patch tds orders-to-bank --namespace NAMESPACE-OF-THE-WORKLOAD --type merge --patch '{\"spec\": \
                {\"stop\": true}}'";
    shell.run(stop, &[namespace]).done();
    assert_eq!(scenario.finished(name).await.phase, Phase::Completed);
}

/// The README's session, once more.
async fn apply_again(scenario: &Scenario, shell: &Shell<'_>) {
    shell
        .unwritten("kubectl delete tds orders-to-bank --ignore-not-found")
        .done();
    scenario.settled("orders-msr").await;
    let apply = "kubectl apply --namespace NAMESPACE-OF-THE-WORKLOAD --filename session.yaml";
    let namespace = ("NAMESPACE-OF-THE-WORKLOAD", scenario.namespace.as_str());
    shell.run(apply, &[namespace]).done();
}

/// The way out by hand, an upgrade in mid-session, and an end from outside.
async fn out_of_order(scenario: &Scenario, shell: &Shell<'_>) {
    let name = "orders-to-bank";
    apply_again(scenario, shell).await;
    scenario.reached(name, Phase::Capturing).await;
    let print = "kubectl get tds NAME -o jsonpath='{.status.restoreCommand}'";
    let command = shell.run(print, &[("NAME", name)]).done();
    shell.unwritten(&command).done();
    let status = scenario.finished(name).await;
    assert_eq!(status.failure.unwrap().reason, "RestoredByHand");

    apply_again(scenario, shell).await;
    scenario.reached(name, Phase::Capturing).await;
    let line = "helm upgrade tlsdebug charts/tlsdebug --namespace tlsdebug --reuse-values";
    shell.run(line, &[]).done();
    let drain = "tlsdebug drain --watch-namespaces=NAMESPACE";
    shell.run(drain, &[("NAMESPACE", &scenario.namespace)]).done();
    assert_eq!(scenario.finished(name).await.phase, Phase::Completed);
}

fn what_is_used_otherwise(scenario: &Scenario, shell: &Shell<'_>) {
    let bank = format!("bank.{}.svc.cluster.local", scenario.namespace);
    let line = "openssl s_client -connect HOST:PORT -showcerts";
    let shown = shell.run(line, &[("HOST", &bank), ("PORT", "443")]);
    assert!(shown.stdout.contains("BEGIN CERTIFICATE"), "{}", shown.text());
    let line = "kubectl set env deploy/NAME JAVA_TOOL_OPTIONS=-Djavax.net.debug=ssl,handshake";
    shell.run(line, &[("NAME", "orders-msr")]).done();
}

fn uninstall(scenario: &Scenario, shell: &Shell<'_>) {
    shell.run("helm uninstall tlsdebug --namespace tlsdebug", &[]).done();
    shell.run("kubectl delete crd tlsdebugsessions.tlsdebug.io", &[]).done();
    let left = kubectl(&["get", "clusterroles,validatingadmissionpolicies", "--output", "name"]).done();
    assert!(!left.contains("tlsdebug"), "{}: {left}", scenario.namespace);
}
