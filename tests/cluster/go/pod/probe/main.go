// Command probe looks at a cluster from inside a pod: "probe lookup NAME", "probe get URL [CA]", "probe identity", "probe sleep DURATION",
// "probe variables PREFIX".
// It prints what it found and exits with 1 where it found nothing.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

const status = "/proc/self/status"

func main() {
	if len(os.Args) < 2 {
		fail("say what to probe: lookup NAME, get URL [CA], identity, sleep DURATION or variables PREFIX")
	}
	probes := map[string]func(string) (string, error){"lookup": lookup, "get": get, "identity": identity, "sleep": sleep, "variables": variables}
	probe, known := probes[os.Args[1]]
	if !known {
		fail("there is no probe " + os.Args[1])
	}
	found, err := probe(strings.Join(os.Args[2:], " "))
	if err != nil {
		fail(err.Error())
	}
	fmt.Println(found)
}

func lookup(name string) (string, error) {
	addresses, err := net.LookupHost(name)
	return strings.Join(addresses, " "), err
}

// get trusts the certificates in the file that may follow the URL.
func get(arguments string) (string, error) {
	url, authority, _ := strings.Cut(arguments, " ")
	trusted := x509.NewCertPool()
	if pem, err := os.ReadFile(authority); err == nil {
		trusted.AppendCertsFromPEM(pem)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

// identity says as whom the process runs, whether system calls are filtered (2) and whether its root can be written.
func identity(string) (string, error) {
	text, err := os.ReadFile(status)
	if err != nil {
		return "", err
	}
	found := []string{fmt.Sprintf("uid=%d", os.Getuid())}
	for _, line := range strings.Split(string(text), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && (name == "Seccomp" || name == "CapEff" || name == "NoNewPrivs") {
			found = append(found, name+"="+strings.TrimSpace(value))
		}
	}
	return strings.Join(append(found, fmt.Sprintf("writable=%t", os.WriteFile("/written", nil, 0o600) == nil)), " "), nil
}

func sleep(text string) (string, error) {
	duration, err := time.ParseDuration(text)
	time.Sleep(duration)
	return "slept " + text, err
}

// variables lists those of the environment whose names begin with the prefix.
func variables(prefix string) (string, error) {
	found := []string{}
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, prefix) {
			found = append(found, variable)
		}
	}
	slices.Sort(found)
	return strings.Join(found, " "), nil
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "probe: "+message)
	os.Exit(1)
}
