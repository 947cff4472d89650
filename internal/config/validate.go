package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Validate reports every setting that cannot work, each by its key.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	renderers, levels, formats := []string{"auto", "cpu", "gpu"}, []string{"debug", "info", "warn", "error"}, []string{"auto", "text", "json"}
	list := func(words []string) string { return strings.Join(words, ", ") }
	check(c.DataDir != "", "dataDir: must not be empty")
	check(c.AccountDomain != "", "accountDomain: must not be empty")
	for _, l := range []struct{ key, addr string }{
		{"listen", c.Listen}, {"dashboardListen", c.DashboardListen}, {"adminListen", c.AdminListen},
	} {
		if l.addr == "" && l.key != "listen" {
			continue
		}
		_, _, err := net.SplitHostPort(l.addr)
		check(err == nil, "%s: %q is not host:port", l.key, l.addr)
	}
	check(c.DashboardListen == "" || Loopback(c.DashboardListen),
		"dashboardListen: %q is not a loopback address; plain HTTP would send account keys in clear text", c.DashboardListen)

	check((c.TLS.CertFile == "") == (c.TLS.KeyFile == ""), "tls: certFile and keyFile must be given together")
	check(c.TLS.CertFile != "" || c.ExternalURL != "" || Loopback(c.Listen),
		"listen: %q is not a loopback address: give tls.certFile and tls.keyFile, or externalURL when a proxy ends TLS", c.Listen)
	if c.ExternalURL != "" {
		u, err := url.Parse(c.ExternalURL)
		check(err == nil && isOrigin(u.Scheme+"://"+u.Host) && u.RawQuery == "" && u.Fragment == "",
			"externalURL: %q is not a URL such as https://arr.example.com", c.ExternalURL)
	}
	for _, o := range c.CORS.AllowedOrigins {
		check(o == "*" || isOrigin(o), "cors.allowedOrigins: %q is neither * nor an origin such as https://example.com", o)
	}
	check(c.RateLimit.PerSecond >= 0, "rateLimit.perSecond: must not be negative")
	check(c.RateLimit.PerSecond == 0 || c.RateLimit.Burst >= 1, "rateLimit.burst: must be at least 1")
	for _, s := range []struct {
		key  string
		size Size
	}{{"standard", c.Sizes.Standard}, {"premium", c.Sizes.Premium}} {
		check(s.size.MaxSessions >= 0, "sizes.%s.maxSessions: must not be negative", s.key)
		check(s.size.MemoryLimitMiB >= 0, "sizes.%s.memoryLimitMiB: must not be negative", s.key)
		check(s.size.PrimitiveBudget >= 0, "sizes.%s.primitiveBudget: must not be negative", s.key)
		check(slices.Contains(renderers, s.size.Renderer), "sizes.%s.renderer: %q is none of %s", s.key, s.size.Renderer, list(renderers))
	}
	check(c.StartTimeout > 0, "startTimeout: must be positive")
	check(c.Retention > 0, "retention: must be positive")

	w := c.Worker
	check(w.Hostname != "", "worker.hostname: must not be empty")
	bind, err := netip.ParseAddr(w.BindIP)
	check(err == nil, "worker.bindIP: %q is not an IP address", w.BindIP)
	if w.PublicIP != "" {
		public, err := netip.ParseAddr(w.PublicIP)
		check(err == nil, "worker.publicIP: %q is not an IP address", w.PublicIP)
		check(err != nil || public.Is4() == bind.Is4() && !bind.IsUnspecified() && !bind.IsLoopback(),
			"worker.publicIP: %s needs worker.bindIP to be the address of this machine that it leads to, not %s", w.PublicIP, w.BindIP)
	}
	check(w.PortMin >= minPort && w.PortMax <= maxPort && w.PortMin < w.PortMax,
		"worker.portMin, worker.portMax: %d..%d is not a range of at least two ports within %d..%d", w.PortMin, w.PortMax, minPort, maxPort)
	check(w.RenewEvery > 0, "worker.renewEvery: must be positive")
	check(w.OrphanAfter >= 2*w.RenewEvery,
		"worker.orphanAfter: must be at least twice worker.renewEvery, else one lost renewal ends a session")
	check(w.ModelCacheMiB >= 0, "worker.modelCacheMiB: must not be negative")

	v := c.Conversion
	check(v.MaxRunning >= 1, "conversion.maxRunning: must be at least 1")
	check(v.Threads >= 0, "conversion.threads: must not be negative")
	check(v.MemoryLimitMiB >= 0, "conversion.memoryLimitMiB: must not be negative")
	check(v.CPUTimeLimit >= 0, "conversion.cpuTimeLimit: must not be negative")
	check(v.TimeLimit >= 0, "conversion.timeLimit: must not be negative")
	check(v.MaxInputMiB >= 0, "conversion.maxInputMiB: must not be negative")
	check(v.MaxOutputMiB >= 0, "conversion.maxOutputMiB: must not be negative")
	for i, a := range c.Storage.Azure.Accounts {
		check(a.Name != "", "storage.azure.accounts[%d].name: must not be empty", i)
		check(a.Key == "" || !a.Identity, "storage.azure.accounts[%d]: key and identity exclude each other", i)
	}

	check(slices.Contains(levels, c.Log.Level), "log.level: %q is none of %s", c.Log.Level, list(levels))
	check(slices.Contains(formats, c.Log.Format), "log.format: %q is none of %s", c.Log.Format, list(formats))
	return errors.Join(errs...)
}

// Loopback reports whether addr (host:port) can be reached from this machine only.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Scheme+"://"+u.Host == s
}
