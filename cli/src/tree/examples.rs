//! Examples of each command. A test parses every one of them.

/// Lines with an example each, and after some blanks what it does; nothing where a command has only others below it.
pub(super) fn examples(path: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(of, _)| *of == path).map(|(_, text)| *text)
}

/// The commands that have examples here.
#[cfg(test)]
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().map(|(path, _)| *path)
}

const EXAMPLES: &[(&str, &str)] = &[
    (
        "recommend",
        "  mora recommend                                    scan the cluster of the current kubeconfig context
  mora recommend -n 'shop-*' --severity warning     what should be changed in some namespaces
  mora recommend --strategy predictive -n shop      forecast the next day and plan all workloads together
  mora recommend -o html --to report.html           a page with plots
  mora recommend -o patch > resize.sh               commands that would set what is recommended
  mora recommend --fail-on critical                 for a pipeline: exit code 6 if anything is critical
  mora recommend --prometheus http://localhost:9090 --no-cluster -n shop",
    ),
    (
        "demo",
        "  mora demo                                       the whole system on a simulated shop
  mora demo --days 14 -o json                     less history, for programs
  mora demo --state plans --report shop.html      remember the plan for `mora explain`",
    ),
    (
        "doctor",
        "  mora doctor                                     everything that `mora recommend` needs, in the current context
  mora doctor --context staging -n shop           of one namespace of another cluster
  mora doctor --prometheus http://localhost:9090  without a cluster
  mora doctor -o json                             for programs",
    ),
    (
        "graph",
        "  mora graph -n shop --prometheus auto            who calls whom in a namespace
  mora graph --call-graph calls.yaml -o svg > calls.svg",
    ),
    (
        "explain",
        "  mora explain cart --state plans                 of the newest plan in a folder
  mora explain shop/cart --coordinator http://localhost:50053
  mora explain shop/StatefulSet/db --prometheus auto -n shop",
    ),
    (
        "whatif",
        "  mora whatif --entry frontend=3x --state plans   three times the load
  mora whatif --entry shop/frontend=0.5 --coordinator http://localhost:50053 -o json",
    ),
    (
        "apply",
        "  mora apply --mode patch --dry-run               what the newest plan would change
  mora apply --mode in_place --workload 'shop/*'  resize the running pods of a namespace
  mora apply plan.json --mode git_ops --output-folder overlays/mora",
    ),
    (
        "rollback",
        "  mora rollback 20260302T000000Z                  undo what was changed for a plan
  mora rollback nightly -n mora --force           also what somebody changed since",
    ),
    (
        "backtest",
        "  mora backtest --data usage.csv --series pod --value cpu --time ts
  mora backtest --data usage.parquet --method all --origins 7 -o html --to backtest.html",
    ),
    (
        "evaluate run",
        "  mora evaluate run --results evaluation          every arm under every scenario, five seeds
  mora evaluate run --results quick --arms baseline,hpa-70,mora --scenarios realistic --seeds 2
  mora evaluate run --results frontier --scenarios realistic --margins 0.8,1,1.25
  mora evaluate run --results real --cluster --prometheus http://localhost:9090 --host frontend.shop",
    ),
    (
        "evaluate resume",
        "  mora evaluate resume --results evaluation       go on where it ended",
    ),
    (
        "evaluate calibrate",
        "  mora evaluate calibrate --prometheus http://localhost:9090 --from 2026-03-02T08:00:00Z --until 2026-03-02T08:30:00Z --to application.yaml",
    ),
    (
        "evaluate validate",
        "  mora evaluate validate --prometheus http://localhost:9090 --from 2026-03-02T09:00:00Z --until 2026-03-02T09:30:00Z --application application.yaml",
    ),
    (
        "evaluate report",
        "  mora evaluate report --results evaluation       tables, figures and report.html",
    ),
    (
        "models list",
        "  mora models list                                all workloads and their versions
  mora models list shop/cart -o json",
    ),
    (
        "models show",
        "  mora models show cart                           the card of the version that serves
  mora models show cart --version v3 -o html --to cart.html",
    ),
    ("models compare", "  mora models compare cart v2 v3                  on the same slots"),
    (
        "models rollback",
        "  mora models rollback cart                       to the version published before
  mora models rollback cart --version v2",
    ),
    (
        "models export",
        "  mora models export cart --to cart.tar           with card and checksums
  mora models export cart --version v2 --to cart-v2",
    ),
    (
        "models prune",
        "  mora models prune --dry-run                     what would be removed
  mora models prune cart --keep 3",
    ),
    (
        "train clean-experiments",
        "  mora train clean-experiments --target shop/cart --dry-run    what would be changed and run
  mora train clean-experiments --target shop/cart --replicas 1,2 --users 10,100 --yes
  mora train clean-experiments --restore          only put back what an earlier run changed",
    ),
    (
        "train status",
        "  mora train status                               of a collector on this machine
  mora train status --collector http://collector.mora:50062 -n shop",
    ),
    ("crds", "  mora crds | kubectl apply -f -                  define the custom resources"),
    (
        "config show",
        "  mora config show                                what is in effect, without secrets
  mora config show --origins                      and which layer set it
  mora config show --for coordinator --config coordinator.yaml -o json",
    ),
    (
        "config check",
        "  mora config check                               the user's own file
  mora config check --for collector collector.yaml",
    ),
    (
        "config init",
        "  mora config init --to ~/.config/mora/config.yaml
  mora config init --for coordinator > coordinator.yaml",
    ),
    (
        "completions",
        "  mora completions bash > ~/.local/share/bash-completion/completions/mora
  mora completions zsh > ~/.zfunc/_mora
  mora completions fish > ~/.config/fish/completions/mora.fish",
    ),
    (
        "man",
        "  mora man | man -l -                             read the first page
  mora man --to ~/.local/share/man/man1           one page per command",
    ),
    (
        "version",
        "  mora version                                    facts about this build
  mora version -o json",
    ),
    (
        "reference",
        "  mora reference cli > docs/reference/cli.md
  mora reference config > docs/reference/configuration.md",
    ),
];
