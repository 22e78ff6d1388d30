// Command gitops-health prints how two GitOps tools judge the health of Kubernetes objects:
// "gitops-health HEALTH.LUA < LIST.json", where the list is what `kubectl get -o json` prints.
// Argo CD runs the script as it does with one from argocd-cm: without the libraries that its own scripts may use. Flux asks
// its copy of kstatus, which has no configuration. The output is a JSON array with an element for each object.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"

	argo "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type judgement struct {
	ArgoCD health `json:"argocd"`
	Flux   health `json:"flux"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("say by which script: gitops-health HEALTH.LUA < LIST.json")
	}
	if err := run(os.Args[1], os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(script string, input io.Reader, output io.Writer) error {
	source, err := os.ReadFile(script)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(input)
	if err != nil {
		return err
	}
	list := &unstructured.UnstructuredList{}
	if err := list.UnmarshalJSON(text); err != nil {
		return err
	}
	judgements := []judgement{}
	for _, object := range list.Items {
		found, err := judge(&object, string(source))
		if err != nil {
			return fmt.Errorf("%s: %w", object.GetName(), err)
		}
		judgements = append(judgements, found)
	}
	return json.NewEncoder(output).Encode(judgements)
}

func judge(object *unstructured.Unstructured, script string) (judgement, error) {
	key := lua.GetConfigMapKey(object.GroupVersionKind())
	overrides := lua.ResourceHealthOverrides{key: argo.ResourceOverride{HealthLua: script}}
	theirs, err := overrides.GetResourceHealth(object)
	if err != nil {
		return judgement{}, fmt.Errorf("Argo CD: %w", err)
	}
	computed, err := status.Compute(object)
	if err != nil {
		return judgement{}, fmt.Errorf("kstatus: %w", err)
	}
	return judgement{
		ArgoCD: health{Status: string(theirs.Status), Message: theirs.Message},
		Flux:   health{Status: computed.Status.String(), Message: computed.Message},
	}, nil
}
