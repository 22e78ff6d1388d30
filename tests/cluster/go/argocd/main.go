// Command argocd-application-controller is the two parts of Argo CD that sync an Application: it runs the one that it is
// called by (os.Args[0]). Argo CD's own main also links its API server, its CLI and more, which nothing here needs.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/spf13/cobra"
)

func main() {
	components := map[string]func() *cobra.Command{
		"argocd-application-controller": controller.NewCommand,
		"argocd-repo-server":            reposerver.NewCommand,
	}
	name := filepath.Base(os.Args[0])
	command, known := components[name]
	if !known {
		fmt.Fprintf(os.Stderr, "argocd: no component is named %q; call it by a link named after one\n", name)
		os.Exit(64)
	}
	if command().Execute() != nil { // which has printed why
		os.Exit(1)
	}
}
