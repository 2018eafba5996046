// The definitions of Argo Rollouts, against which the manifests of docs/14-other-engines.md are validated. Nothing of it is
// built.
module marline.test/argo-rollouts

go 1.26.8

require github.com/argoproj/argo-rollouts v1.10.1 // indirect
