package pipelines

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what OAuth 1.0a signs with
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// social speaks the three APIs that marketing-sync posts to, as their vendors
// document them: it checks what they check and refuses what they refuse.
//
// LinkedIn: learn.microsoft.com, "Share on LinkedIn". Instagram:
// developers.facebook.com, "Content Publishing". X: docs.x.com, "Create Post",
// signed as RFC 5849 says.
type social struct {
	*httptest.Server
	t *testing.T

	mu         sync.Mutex
	posts      map[string][]string // platform → texts
	containers map[string]string   // id → caption; "" once published
	nonces     map[string]bool
	requests   map[string]int
	faults     map[string][]fault // by platform, used up in order
	notReady   int                // how often a container is not ready yet
}

// fault is one answer that a platform gives in place of its own.
type fault struct {
	status int
	header http.Header
	body   string
}

const (
	linkedInToken = "li-token-5a61c0ffee"
	linkedInURN   = "urn:li:person:AbCdEf1234"
	igUser        = "17841400000000001"
	igToken       = "ig-token-77aa88bb99"
	xKey          = "x-key-0f1e2d3c"
	xSecret       = "x-secret-9/8+7=6"
	xToken        = "x-token-55-aa"
	xTokenSecret  = "x-token-secret-&%12"
)

func newSocial(t *testing.T) *social {
	t.Helper()
	s := &social{
		t: t, posts: map[string][]string{}, containers: map[string]string{}, nonces: map[string]bool{},
		requests: map[string]int{}, faults: map[string][]fault{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /linkedin/v2/ugcPosts", s.platform("linkedin", s.linkedIn))
	mux.HandleFunc("POST /graph/{user}/media", s.platform("container", s.container))
	mux.HandleFunc("POST /graph/{user}/media_publish", s.platform("instagram", s.publish))
	mux.HandleFunc("POST /x/2/tweets", s.platform("x", s.tweet))
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// platform gives one fault after the other, then the platform's own answer.
func (s *social) platform(name string, h func(w http.ResponseWriter, r *http.Request, body []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			s.t.Errorf("%s: reading the body: %v", name, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests[name]++
		if list := s.faults[name]; len(list) > 0 {
			s.faults[name] = list[1:]
			for k, v := range list[0].header {
				w.Header()[k] = v
			}
			answer(w, list[0].status, list[0].body)
			return
		}
		h(w, r, body)
	}
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (s *social) linkedIn(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Header.Get("Authorization") != "Bearer "+linkedInToken {
		answer(w, 401, `{"serviceErrorCode":65600,"message":"Invalid access token","status":401}`)
		return
	}
	var post struct {
		Author          string `json:"author"`
		LifecycleState  string `json:"lifecycleState"`
		SpecificContent struct {
			Share struct {
				Commentary struct {
					Text string `json:"text"`
				} `json:"shareCommentary"`
				Category string `json:"shareMediaCategory"`
			} `json:"com.linkedin.ugc.ShareContent"`
		} `json:"specificContent"`
		Visibility map[string]string `json:"visibility"`
	}
	share := &post.SpecificContent.Share
	if json.Unmarshal(body, &post) != nil || r.Header.Get("X-Restli-Protocol-Version") != "2.0.0" || post.Author != linkedInURN ||
		post.LifecycleState != "PUBLISHED" || share.Commentary.Text == "" || share.Category != "NONE" ||
		post.Visibility["com.linkedin.ugc.MemberNetworkVisibility"] != "PUBLIC" {
		answer(w, 422, `{"message":"ERROR :: the entity is not valid","status":422}`)
		return
	}
	s.posts["linkedin"] = append(s.posts["linkedin"], share.Commentary.Text)
	id := fmt.Sprintf("urn:li:share:%d", 6844785523593134080+len(s.posts["linkedin"]))
	w.Header().Set("X-RestLi-Id", id)
	answer(w, 201, `{"id":"`+id+`"}`)
}

// graph refuses what the Graph API refuses, and gives the fields.
func graph(w http.ResponseWriter, r *http.Request, body []byte) (url.Values, bool) {
	if r.PathValue("user") != igUser || r.Header.Get("Authorization") != "Bearer "+igToken {
		answer(w, 400, `{"error":{"message":"Error validating access token: Session has expired","type":"OAuthException","code":190,"error_subcode":463}}`)
		return nil, false
	}
	fields, err := url.ParseQuery(string(body))
	if err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		answer(w, 400, `{"error":{"message":"(#100) Invalid parameter","type":"OAuthException","code":100}}`)
		return nil, false
	}
	return fields, true
}

func (s *social) container(w http.ResponseWriter, r *http.Request, body []byte) {
	fields, ok := graph(w, r, body)
	if !ok {
		return
	}
	if image, err := url.Parse(fields.Get("image_url")); err != nil || image.Scheme != "https" {
		answer(w, 400, `{"error":{"message":"The image_url is required and must be public","type":"OAuthException","code":9004}}`)
		return
	}
	id := strconv.Itoa(17889455560051000 + len(s.containers))
	s.containers[id] = fields.Get("caption")
	answer(w, 200, `{"id":"`+id+`"}`)
}

func (s *social) publish(w http.ResponseWriter, r *http.Request, body []byte) {
	fields, ok := graph(w, r, body)
	if !ok {
		return
	}
	caption := s.containers[fields.Get("creation_id")]
	if caption == "" || s.notReady > 0 {
		s.notReady--
		answer(w, 400, `{"error":{"message":"Media ID is not available","type":"OAuthException","code":9007,"error_subcode":2207027}}`)
		return
	}
	s.containers[fields.Get("creation_id")] = ""
	s.posts["instagram"] = append(s.posts["instagram"], caption)
	answer(w, 200, `{"id":"17920238422030506"}`)
}

func (s *social) tweet(w http.ResponseWriter, r *http.Request, body []byte) {
	if why := s.unsigned(r); why != "" {
		s.t.Logf("x: %s", why)
		answer(w, 401, `{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}`)
		return
	}
	var post struct{ Text string }
	if json.Unmarshal(body, &post) != nil || post.Text == "" || len([]rune(post.Text)) > 280 {
		answer(w, 400, `{"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","status":400}`)
		return
	}
	s.posts["x"] = append(s.posts["x"], post.Text)
	answer(w, 201, fmt.Sprintf(`{"data":{"id":"%d","text":%q}}`, 1445880548472328192+len(s.posts["x"]), post.Text))
}

// unsigned says what is wrong with a request's OAuth 1.0a signature, or "".
func (s *social) unsigned(r *http.Request) string {
	head, ok := strings.CutPrefix(r.Header.Get("Authorization"), "OAuth ")
	if !ok {
		return "no OAuth header"
	}
	params := map[string]string{}
	for _, pair := range strings.Split(head, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
		value, err := url.PathUnescape(strings.Trim(v, `"`))
		if err != nil {
			return "a value that cannot be read"
		}
		params[k] = value
	}
	at, err := strconv.ParseInt(params["oauth_timestamp"], 10, 64)
	switch {
	case params["oauth_consumer_key"] != xKey, params["oauth_token"] != xToken:
		return "unknown key or token"
	case params["oauth_signature_method"] != "HMAC-SHA1", params["oauth_version"] != "1.0":
		return "another method or version"
	case err != nil || math.Abs(float64(time.Now().Unix()-at)) > 300:
		return "a timestamp that is far off"
	case params["oauth_nonce"] == "" || s.nonces[params["oauth_nonce"]]:
		return "a nonce that was used before"
	}
	s.nonces[params["oauth_nonce"]] = true
	signature := params["oauth_signature"]
	delete(params, "oauth_signature")
	var pairs []string
	for k, v := range params {
		pairs = append(pairs, escape(k)+"="+escape(v))
	}
	slices.Sort(pairs)
	base := "POST&" + escape("http://"+r.Host+r.URL.Path) + "&" + escape(strings.Join(pairs, "&"))
	mac := hmac.New(sha1.New, []byte(escape(xSecret)+"&"+escape(xTokenSecret)))
	mac.Write([]byte(base))
	if base64.StdEncoding.EncodeToString(mac.Sum(nil)) != signature {
		return "a signature that does not fit"
	}
	return ""
}

// escape is the percent encoding of RFC 5849, 3.6.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(s))
}
