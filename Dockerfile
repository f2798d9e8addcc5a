# The hub, built and run without anything but Docker:
#   docker build -t oriva-realtime .
#   docker run -e Storage__Provider=Sqlite -e Storage__MigrateAtStart=true -e Auth__SymmetricKey=… \
#              -v oriva:/data -p 127.0.0.1:5080:8080 oriva-realtime
# With PostgreSQL and Redis: docker-compose.yml.

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /src

# What decides about packages comes first and alone, so that the downloaded packages stay in a cached layer until one of
# these files changes. A new project that the hub refers to needs its line here.
COPY global.json Directory.Build.props Directory.Packages.props ./
COPY Oriva.Realtime.Core/*.csproj Oriva.Realtime.Core/packages.lock.json Oriva.Realtime.Core/
COPY Oriva.Realtime.Hub/*.csproj Oriva.Realtime.Hub/packages.lock.json Oriva.Realtime.Hub/
COPY migrations/Postgres/*.csproj migrations/Postgres/packages.lock.json migrations/Postgres/
COPY migrations/Sqlite/*.csproj migrations/Sqlite/packages.lock.json migrations/Sqlite/
RUN dotnet restore Oriva.Realtime.Hub/Oriva.Realtime.Hub.csproj --locked-mode

# .editorconfig and the banned symbols are part of the build: analyzers stop it.
COPY .editorconfig BannedSymbols.txt ./
COPY Oriva.Realtime.Core/ Oriva.Realtime.Core/
COPY Oriva.Realtime.Hub/ Oriva.Realtime.Hub/
COPY migrations/ migrations/
RUN dotnet publish Oriva.Realtime.Hub/Oriva.Realtime.Hub.csproj \
      --configuration Release --no-restore --output /app -p:UseAppHost=false

FROM mcr.microsoft.com/dotnet/aspnet:10.0
WORKDIR /app

# The hub writes nowhere but to its SQLite file, and only when it is told to use SQLite.
RUN install --directory --owner=app --group=app /data
ENV Storage__SqlitePath=/data/oriva.db \
    ASPNETCORE_HTTP_PORTS=8080
VOLUME /data
EXPOSE 8080

COPY --from=build /app ./
# By number, so that Kubernetes can see that it is not root.
USER $APP_UID

# The base image has neither curl nor wget, and installing one would mean to patch it for ever. It does have bash, which
# speaks TCP. HTTP/1.0 without a Host header passes whatever AllowedHosts says. Liveness only: a node that waits for its
# database must not be restarted for that; load balancers ask /health/ready.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${ASPNETCORE_HTTP_PORTS%%;*} && printf 'GET /health/live HTTP/1.0\\r\\n\\r\\n' >&3 && read -r -t 4 _ status _ <&3 && [[ $status == 200 ]]"]

ENTRYPOINT ["dotnet", "Oriva.Realtime.Hub.dll"]
