package touchstone

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"touchstone/clients/go/internal/testnet"
)

// runReadme runs the README's program, as it stands.
func runReadme(t *testing.T, url, pin string) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllSubmatch(text, -1)
	if len(programs) != 1 {
		t.Fatalf("%d programs", len(programs))
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, programs[0][1], 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("go", "run", file)
	command.Env = append(os.Environ(), "TOUCHSTONE_URL="+url, "TOUCHSTONE_PIN="+pin)
	output, err := command.CombinedOutput()
	if err != nil || !regexp.MustCompile(`^(\d+\.\d+[ \n]){3}$`).Match(output) {
		t.Errorf("%v: %s", err, output)
	}
}

func TestTheReadmesProgramRunsAgainstAMadeUpNetwork(t *testing.T) {
	text := canonicalJSON(madePin(t, Ed25519, Secp256k1Keccak))
	path := filepath.Join(t.TempDir(), "network.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		update := testnet.NewUpdate()
		update.NetworkID = must(ParsePin(text)).NetworkID()
		update.TimestampMs = uint64(time.Now().UnixMilli())
		update.Leaves[0].ObservedAtMs = update.TimestampMs
		_, _ = w.Write([]byte(update.JSON()))
	}))
	defer server.Close()
	runReadme(t, server.URL, path)
}

func TestTheReadmesProgramRunsAgainstTheNetworkOfTheEnvironment(t *testing.T) {
	url, pin := os.Getenv("TOUCHSTONE_URL"), os.Getenv("TOUCHSTONE_PIN")
	if url == "" || pin == "" {
		text := "set TOUCHSTONE_URL and TOUCHSTONE_PIN to run the README's program against a network"
		if strings.Contains(os.Getenv("TOUCHSTONE_REQUIRE"), "all") {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	runReadme(t, url, pin)
}
