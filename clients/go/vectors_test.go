package touchstone

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

const vectorsFolder = "../../tests/vectors"

type updateVector struct {
	NetworkID string            `json:"network_id"`
	GroupKeys map[string]string `json:"group_keys"`
	Update    string            `json:"update"`
	Code      string            `json:"code"`
	Valid     struct {
		Suite     string          `json:"suite"`
		Statement statementFields `json:"statement"`
		Entries   []entryFields   `json:"entries"`
	} `json:"valid"`
}

type statementFields struct {
	NetworkID        string `json:"network_id"`
	Epoch            uint32 `json:"epoch"`
	Round            string `json:"round"`
	TimestampMs      string `json:"timestamp_ms"`
	FeedCount        uint16 `json:"feed_count"`
	FeedsRoot        string `json:"feeds_root"`
	ObservationsRoot string `json:"observations_root"`
	Digest           string `json:"digest"`
	Bytes            string `json:"bytes"`
}

type entryFields struct {
	Feed         Feed     `json:"feed"`
	Status       []string `json:"status"`
	StatusBits   uint8    `json:"status_bits"`
	Exponent     int      `json:"exponent"`
	Price        string   `json:"price"`
	Low          string   `json:"low"`
	High         string   `json:"high"`
	ObservedAtMs string   `json:"observed_at_ms"`
	Observers    uint16   `json:"observers"`
	Bytes        string   `json:"bytes"`
	LeafHash     string   `json:"leaf_hash"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func unhex(text string) []byte { return must(hex.DecodeString(text)) }

func hash32(text string) (out [32]byte) {
	copy(out[:], unhex(text))
	return out
}

func number(text string) uint64 { return must(strconv.ParseUint(text, 10, 64)) }

func integer(text string) *big.Int {
	value, ok := new(big.Int).SetString(text, 10)
	if !ok {
		panic(text)
	}
	return value
}

func readVector(t testing.TB, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectorsFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// eachVector runs a subtest for every file of a folder and returns how many there are.
func eachVector[T any](t *testing.T, folder string, run func(*testing.T, T)) int {
	files, err := filepath.Glob(filepath.Join(vectorsFolder, folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			var vector T
			readVector(t, filepath.Join(folder, filepath.Base(file)), &vector)
			run(t, vector)
		})
	}
	return len(files)
}

func (v updateVector) verifier() *Verifier {
	var keys []GroupKey
	for name, key := range v.GroupKeys {
		keys = append(keys, must(NewGroupKey(must(ParseSuite(name)), unhex(key))))
	}
	return must(NewVerifier(hash32(v.NetworkID), keys...))
}

func (v updateVector) verify() (*VerifiedUpdate, error) {
	return v.verifier().Verify(unhex(v.Update))
}

func fieldsOf(s Statement) statementFields {
	digest := s.Digest()
	return statementFields{
		NetworkID:        hex.EncodeToString(s.NetworkID[:]),
		Epoch:            s.Epoch,
		Round:            strconv.FormatUint(s.Round, 10),
		TimestampMs:      strconv.FormatUint(s.TimestampMs, 10),
		FeedCount:        s.FeedCount,
		FeedsRoot:        hex.EncodeToString(s.FeedsRoot[:]),
		ObservationsRoot: hex.EncodeToString(s.ObservationsRoot[:]),
		Digest:           hex.EncodeToString(digest[:]),
	}
}

func TestValidUpdatesSayWhatTheVectorsSay(t *testing.T) {
	count := eachVector(t, "update/valid", func(t *testing.T, vector updateVector) {
		update, err := vector.verify()
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(update.Bytes()) != vector.Update || update.Suite().String() != vector.Valid.Suite {
			t.Error("other bytes or suite")
		}
		if got := fieldsOf(update.Statement()); got != vector.Valid.Statement {
			t.Errorf("%+v, want %+v", got, vector.Valid.Statement)
		}
		var feeds []Feed
		for _, want := range vector.Valid.Entries {
			feeds = append(feeds, want.Feed)
			checkEntry(t, update, want)
		}
		if !reflect.DeepEqual(update.Feeds(), feeds) {
			t.Errorf("%v, want %v", update.Feeds(), feeds)
		}
	})
	if count < 30 {
		t.Errorf("only %d vectors", count)
	}
}

func checkEntry(t *testing.T, update *VerifiedUpdate, want entryFields) {
	t.Helper()
	status := must(ParseStatus(want.Status...))
	if got, ok := update.Status(want.Feed); !ok || got != status || uint8(got) != want.StatusBits {
		t.Errorf("%s: status %v, want %v", want.Feed, got, status)
	}
	policy := Fresh(0).AllowStatus(status)
	policy.now, policy.maxSkewMs = update.TimestampMs, math.MaxUint64
	got, err := update.Price(want.Feed, policy)
	if status&Unavailable != 0 {
		if Code(err) != "unavailable" {
			t.Errorf("%s: %v", want.Feed, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", want.Feed, err)
		return
	}
	expected := VerifiedPrice{
		Feed:         want.Feed,
		Price:        Decimal{integer(want.Price), want.Exponent},
		Low:          Decimal{integer(want.Low), want.Exponent},
		High:         Decimal{integer(want.High), want.Exponent},
		Status:       status,
		Round:        update.Round(),
		Epoch:        update.Epoch(),
		TimestampMs:  update.TimestampMs(),
		ObservedAtMs: number(want.ObservedAtMs),
		Observers:    want.Observers,
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", expected) {
		t.Errorf("%+v, want %+v", got, expected)
	}
}

func TestInvalidUpdatesAreRefusedWithTheirCode(t *testing.T) {
	codes := map[string]bool{}
	count := eachVector(t, "update/invalid", func(t *testing.T, vector updateVector) {
		update, err := vector.verify()
		if Code(err) != vector.Code || update != nil {
			t.Errorf("%v, want %s", err, vector.Code)
		}
		var typed *Error
		if !errors.As(err, &typed) || typed.Kind() != KindVerify {
			t.Errorf("%T", err)
		}
		codes[vector.Code] = true
	})
	if count < 90 || len(codes) < 13 {
		t.Errorf("only %d vectors with %d codes", count, len(codes))
	}
}

func TestWeakKeysAreNotPinned(t *testing.T) {
	var vectors []struct {
		Description, Suite, Key, Code string
	}
	readVector(t, "group-keys.json", &vectors)
	for _, vector := range vectors {
		key, err := NewGroupKey(must(ParseSuite(vector.Suite)), unhex(vector.Key))
		if Code(err) != vector.Code {
			t.Errorf("%s: %v, want %q", vector.Description, err, vector.Code)
		}
		if err == nil && key.String() != vector.Key {
			t.Errorf("%s: %v", vector.Description, key)
		}
	}
	if len(vectors) <= 30 {
		t.Errorf("only %d vectors", len(vectors))
	}
}

type policyVector struct {
	Description, Update, Next, Code, Price string
	Feed                                   Feed
	Policy                                 struct {
		NowMs         string   `json:"now_ms"`
		MaxAgeMs      uint64   `json:"max_age_ms"`
		AtMs          string   `json:"at_ms"`
		MaxGap        *uint64  `json:"max_gap"`
		MaxTradeAgeMs *int64   `json:"max_trade_age_ms"`
		MinObservers  *uint16  `json:"min_observers"`
		AllowStatus   []string `json:"allow_status"`
		MaxSkewMs     *int64   `json:"max_skew_ms"`
		NewerThan     string   `json:"newer_than"`
	}
}

func (v policyVector) policy(verifier *Verifier, update *VerifiedUpdate) (Policy, error) {
	var policy Policy
	if v.Policy.AtMs != "" {
		bracket, err := VerifyAt(update, must(verifier.Verify(unhex(v.Next))), number(v.Policy.AtMs))
		if err != nil {
			return Policy{}, err
		}
		policy = At(bracket)
	} else {
		policy = Fresh(0)
		policy.now = func() uint64 { return number(v.Policy.NowMs) }
		policy.maxAgeMs = v.Policy.MaxAgeMs
	}
	if v.Policy.MaxGap != nil {
		policy = policy.MaxGap(*v.Policy.MaxGap)
	}
	if v.Policy.MaxTradeAgeMs != nil {
		policy = policy.MaxTradeAge(time.Duration(*v.Policy.MaxTradeAgeMs) * time.Millisecond)
	}
	if v.Policy.MinObservers != nil {
		policy = policy.MinObservers(*v.Policy.MinObservers)
	}
	if v.Policy.MaxSkewMs != nil {
		policy = policy.MaxSkew(time.Duration(*v.Policy.MaxSkewMs) * time.Millisecond)
	}
	if v.Policy.NewerThan != "" {
		policy = policy.NewerThan(number(v.Policy.NewerThan))
	}
	return policy.AllowStatus(must(ParseStatus(v.Policy.AllowStatus...))), nil
}

func TestPoliciesGiveThePriceOrTheirCode(t *testing.T) {
	var file struct {
		NetworkID        string `json:"network_id"`
		GroupKey         string `json:"group_key"`
		DefaultMaxSkewMs int64  `json:"default_max_skew_ms"`
		Cases            []policyVector
	}
	readVector(t, "policy.json", &file)
	if DefaultMaxSkew.Milliseconds() != file.DefaultMaxSkewMs || len(file.Cases) <= 40 {
		t.Errorf("skew %v, %d cases", DefaultMaxSkew, len(file.Cases))
	}
	verifier := must(NewVerifierHex(file.NetworkID, file.GroupKey))
	for _, vector := range file.Cases {
		t.Run(vector.Description, func(t *testing.T) {
			update := must(verifier.Verify(unhex(vector.Update)))
			policy, err := vector.policy(verifier, update)
			var price VerifiedPrice
			if err == nil {
				price, err = update.Price(vector.Feed, policy)
			}
			if Code(err) != vector.Code {
				t.Errorf("%v, want %q", err, vector.Code)
			}
			if err == nil && price.Price.String() != vector.Price {
				t.Errorf("%v, want %s", price.Price, vector.Price)
			}
		})
	}
}

func TestGoodPinsAreAccepted(t *testing.T) {
	for _, name := range []string{"network", "two-epochs"} {
		pin := must(LoadPin(filepath.Join(vectorsFolder, "pin", name+".json")))
		verifier, err := NewVerifierFromPin(pin)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if verifier.NetworkID() != pin.NetworkID() {
			t.Errorf("%s: another network", name)
		}
	}
}

func TestBadPinsAreRefusedWithTheirCode(t *testing.T) {
	type pinVector struct {
		Code string
		Pin  json.RawMessage
	}
	count := eachVector(t, "pin/invalid", func(t *testing.T, vector pinVector) {
		if code := pinCode(vector.Pin); code != vector.Code {
			t.Errorf("%q, want %q", code, vector.Code)
		}
	})
	if count < 10 {
		t.Errorf("only %d vectors", count)
	}
}

func pinCode(text []byte) string {
	pin, err := ParsePin(text)
	if err == nil {
		_, err = NewVerifierFromPin(pin)
	}
	return Code(err)
}

func TestCanonicalStatementsAndLeaves(t *testing.T) {
	var statements []statementFields
	readVector(t, "canonical/statement.json", &statements)
	for _, want := range statements {
		data := unhex(want.Bytes)
		s := readStatement(&reader{rest: data[16:]})
		got := fieldsOf(s)
		got.Bytes = hex.EncodeToString(s.Bytes())
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	var leaves []entryFields
	readVector(t, "canonical/leaf.json", &leaves)
	for _, want := range leaves {
		r := &reader{rest: unhex(want.Bytes)}
		l := readLeaf(r)
		if hash := leafHash(l.bytes); r.err != nil || hash != hash32(want.LeafHash) {
			t.Errorf("%s: %v, hash %x", want.Feed, r.err, hash)
		}
		if l.feed != want.Feed || l.price.String() != want.Price || l.low.String() != want.Low || l.exponent != want.Exponent {
			t.Errorf("%+v, want %+v", l, want)
		}
	}
}

func TestCanonicalTrees(t *testing.T) {
	var trees []struct {
		Leaves []string
		Root   string
		Paths  [][]string
	}
	readVector(t, "canonical/merkle.json", &trees)
	for _, tree := range trees {
		for index := range tree.Leaves {
			var path [][32]byte
			for _, hash := range tree.Paths[index] {
				path = append(path, hash32(hash))
			}
			leaf := leafHash(unhex(tree.Leaves[index]))
			if !included(leaf, uint16(index), uint16(len(tree.Leaves)), path, hash32(tree.Root)) {
				t.Errorf("leaf %d of %d", index, len(tree.Leaves))
			}
		}
	}
}

func TestCanonicalManifestAndEpochRecord(t *testing.T) {
	var m struct {
		Manifest  json.RawMessage
		Canonical string
		Hash      string
	}
	readVector(t, "canonical/manifest.json", &m)
	var failed error
	manifest := readManifest(newObject(must(parseJSON(m.Manifest)), "", &failed))
	if hash := manifest.hash(); failed != nil || hash != hash32(m.Hash) {
		t.Errorf("%v, %x", failed, hash)
	}
	if canonical := canonicalJSON(manifest.tree); string(canonical) != m.Canonical {
		t.Errorf("%s", canonical)
	}
	var r struct {
		Record json.RawMessage
		Digest string
	}
	readVector(t, "canonical/epoch-record.json", &r)
	record := readRecord(newObject(must(parseJSON(r.Record)), "", &failed))
	if digest := record.digest(); failed != nil || digest != hash32(r.Digest) {
		t.Errorf("%v, %x", failed, digest)
	}
}
