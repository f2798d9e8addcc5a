using System.Diagnostics;
using System.Net.Sockets;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>A real nginx before several hubs, which sends each request to the next one, whoever it comes from.</summary>
internal sealed class NginxInstance : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("oriva-nginx-").FullName;
    private readonly Process _process;

    private NginxInstance(IEnumerable<int> hubs)
    {
        File.WriteAllText(Path.Combine(_folder, "nginx.conf"), Configure(hubs));
        _process = Process.Start("/usr/sbin/nginx", ["-p", _folder, "-c", "nginx.conf", "-e", "error.log"]);
    }

    public int Port { get; } = Ports.FindFree();

    /// <summary>What went wrong between it and the hubs.</summary>
    public string Errors => File.ReadAllText(Path.Combine(_folder, "error.log"));

    /// <param name="hubs">Their ports.</param>
    public static async Task<NginxInstance> StartNewAsync(IEnumerable<int> hubs)
    {
        var nginx = new NginxInstance(hubs);
        await Waiting.Eventually("nginx listens", () => nginx.AcceptsAsync());
        return nginx;
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync().Soon("nginx ends");
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<bool> AcceptsAsync()
    {
        _process.HasExited.ShouldBeFalse("nginx has ended");
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>One process, so that its id is all of it. A hub that cannot be reached is left out for a second.</summary>
    private string Configure(IEnumerable<int> hubs) => $$"""
        daemon off;
        master_process off;
        pid nginx.pid;
        events { worker_connections 8192; }
        http {
          access_log off;
          client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
          map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
          upstream hubs {
            {{string.Join(" ", hubs.Select(port => $"server 127.0.0.1:{port} max_fails=1 fail_timeout=1s;"))}}
            keepalive 64;
          }
          proxy_http_version 1.1;
          proxy_set_header Host $http_host;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection $connection_upgrade;
          proxy_buffering off;
          proxy_connect_timeout 2s;
          proxy_read_timeout 120s;
          proxy_send_timeout 120s;
          client_max_body_size 32m;
          server {
            listen 127.0.0.1:{{Port}};
            location / {
              proxy_pass http://hubs;
              proxy_next_upstream error timeout;
            }
            # Nothing has begun yet: a hub that takes no more connections sends them on to the next.
            location ~ ^/hubs/[^/]+/negotiate$ {
              proxy_pass http://hubs;
              proxy_next_upstream error timeout http_503 non_idempotent;
            }
          }
        }
        """;
}
