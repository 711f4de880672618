# SPDX-License-Identifier: Apache-2.0
# bash completion for ringfence(8)

_ringfence_ids()
{
	# With the --root of the command line, if there is one.
	local i root=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--root) [[ ${COMP_WORDS[i + 1]-} == = ]] && ((i++)); root=(--root "${COMP_WORDS[i + 1]-}") ;;
		esac
	done
	ringfence "${root[@]}" list -q 2>/dev/null
}

_ringfence_launched()
{
	local i data=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--data) [[ ${COMP_WORDS[i + 1]-} == = ]] && ((i++)); data=(--data "${COMP_WORDS[i + 1]-}") ;;
		esac
	done
	ringfence "${data[@]}" ls --all --quiet 2>/dev/null
}

# Launched partitions.
_ringfence_partitions()
{
	local i globals=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--root | --data)
			globals+=("${COMP_WORDS[i]}")
			[[ ${COMP_WORDS[i + 1]-} == = ]] && ((i++))
			globals+=("${COMP_WORDS[i + 1]-}") ;;
		esac
	done
	ringfence "${globals[@]}" ls -q 2>/dev/null
}

_ringfence_images()
{
	local i store=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--store) [[ ${COMP_WORDS[i + 1]-} == = ]] && ((i++)); store=(--store "${COMP_WORDS[i + 1]-}") ;;
		esac
	done
	ringfence "${store[@]}" images --noheading 2>/dev/null |
		awk '$1 != "<none>" {print $1 ($2 == "<none>" ? "" : ":" $2)}'
}

_ringfence()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' i positional=0 opts=''
	local verbs='launch ls rm inspect run create start exec kill delete state list ps pause resume update events spec features doctor cp port stats top commit volume bench help'
	local images='pull load save import images history tag untag rmi prune du store login logout prepare'
	local launched='logs attach stop restart wait rename generate'
	local globals='--root --data --store --log --log-format --log-level --debug --systemd-cgroup --cgroup-manager --rootless --criu
		--version --help'
	local create='--bundle --config --console-socket --pidfd-socket --pid-file --no-pivot --no-new-keyring --no-subreaper
		--preserve-fds --isolation --accel --help'
	# Options of exec (kill has none) whose next word is their value.
	local valued=' = --process -p --cwd --env -e --user -u --additional-gids -g --cap -c --process-label --apparmor --cgroup --pid-file --console-socket --pidfd-socket --preserve-fds '
	local -A of=(
		[create]=$create
		[run]="$create --detach --keep"
		[start]='--help'
		[exec]='--process --cwd --env --tty --user --additional-gids --cap --no-new-privs --process-label --apparmor
			--cgroup --detach --pid-file --console-socket --pidfd-socket --preserve-fds --ignore-paused --help'
		[kill]='--all --regex --help'
		[delete]='--force --regex --help'
		[state]='--help'
		[list]='--format --quiet --help'
		[ps]='--format --help'
		[pause]='--help'
		[resume]='--help'
		[update]='--resources --blkio-weight --cpu-period --cpu-quota --cpu-burst --cpu-share --cpu-rt-period
			--cpu-rt-runtime --cpu-idle --cpuset-cpus --cpuset-mems --memory --memory-reservation --memory-swap
			--kernel-memory --kernel-memory-tcp --pids-limit --l3-cache-schema --mem-bw-schema --help'
		[logs]='--follow --tail --since --until --timestamps --format --help'
		[attach]='--no-stdin --sig-proxy --detach-keys --help'
		[stop]='--time --all --format --help'
		[restart]='--time --all --format --help'
		[wait]='--format --help'
		[rename]='--format --help'
		[generate]='--files --restart-policy --format --help'
		[events]='--stats --interval --help'
		[spec]='--bundle --file --rootless --help'
		[features]='--help'
		[doctor]='--format --help'
		[port]='--format --help'
		[cp]='--archive --follow-link --overwrite --quiet --help'
		[stats]='--all --no-stream --interval --format --json --help'
		[top]='--interval --format --help'
		[launch]='--name --detach --interactive --tty --rm --restart --pull --entrypoint --env --env-file --workdir
			--user --hostname --volume --mount --tmpfs --read-only --shm-size --network --publish --dns
			--add-host --memory --memory-swap --cpus --cpuset-cpus --pids-limit --device --cap-add --cap-drop
			--privileged --security-opt --userns --ulimit --sysctl --init --boot --isolation --accel --stop-signal
			--stop-timeout --log-max --label --annotation --pid-file --cidfile --help'
		[ls]='--quiet --running --filter --format --no-trunc --help'
		[rm]='--force --volumes --all --format --help'
		[inspect]='--type --format --platform --help'
		[commit]='--message --author --change --pause --squash --quiet --format --help'
		[volume]='--format --quiet --label --force --all --help'
		[bench]='--design --count --warmup --concurrency --payload --memory-limit --reserve --settle
			--guest-memory --timeout --pin --out --work --runtime --kernel --threshold --relative
			--instances --memory --quiet --help'
		# for images
		[images]='--format --filter --quiet --digests --all --no-trunc --noheading --help'
		[history]='--format --no-trunc --quiet --help'
		[tag]='--help'
		[untag]='--help'
		[rmi]='--force --all --help'
		[prune]='--all --dry-run --force --help'
		[du]='--format --help'
		[store]='--repair --help'
		[login]='--authfile --username --password-stdin --cert-dir --tls-verify --registries-conf --help'
		[logout]='--authfile --all --help'
		[import]='--change --message --author --compression --exclude --from-host --include-mount --quiet --help'
		[save]='--output --format --quiet --quiet --help'
		[load]='--input --quiet --help'
		[prepare]='--pull --format --root-image --platform --creds --authfile --cert-dir --tls-verify --registries-conf --quiet --help'
		[pull]='--platform --all-platforms --creds --authfile --cert-dir --tls-verify --registries-conf --policy
			--unpack --parallel --retry --timeout --quiet --help'
	)

	COMPREPLY=()
	# `--opt=VALUE` is three words for readline, where = is a word break.
	if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--root | --data | --store | --log | --log-format | --log-level | --cgroup-manager | --rootless | --criu)
			[[ -n $verb ]] || { [[ ${COMP_WORDS[i + 1]-} == = ]] && ((i++)); ((i++)); } ;;
		-* | =) ;;
		*)
			if [[ -z $verb ]]; then verb=${COMP_WORDS[i]}
			elif [[ $valued != *" ${COMP_WORDS[i - 1]} "* ]]; then ((positional++)); fi ;;
		esac
	done

	case $prev in
	--root | --data | --store | --bundle | -b | --cwd | --cert-dir | --include-mount) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
	--log | --console-socket | --pidfd-socket | --pid-file | --process | -p | --resources | -r | --config | --file | --criu | --authfile | --input | --output | \
		--registries-conf)
		if [[ $prev != -r || $verb == update ]]; then
			compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return
		fi ;;
	--log-format) opts='text json' ;;
	--log-level) opts='error warning info debug' ;;
	--cgroup-manager) opts='cgroupfs systemd disabled' ;;
	--rootless) [[ -n $verb ]] || opts='auto true false' ;;
	--format | -f)
		[[ $verb == port && $prev != -f ]] && opts='text json'
		[[ $verb == save && $prev != -f ]] && opts='oci-archive docker-archive oci-dir'
		[[ " logs stop restart wait generate " == *" $verb "* ]] && opts='text json'
		[[ " list ls ps images history du " == *" $verb "* && ($prev != -f || $verb == list || $verb == ps) ]] && opts='table json' ;;
	--compression) opts='zstd gzip none' ;;
	--pull) opts='missing always never' ;;
	--restart) opts='no on-failure always unless-stopped' ;;
	--network) opts='none host bridge pasta' ;;
	--type) opts='partition image' ;;
	--isolation) opts='partition sandbox' ;;
	--accel) opts='auto kvm tcg qemu' ;;
	--userns) opts='auto host' ;;
	--policy) opts='always missing' ;;
	--restart-policy) opts='no always on-success on-failure on-abnormal on-abort on-watchdog' ;;
	--platform | --creds | --parallel | --retry | --timeout | --filter | --username | -u | --tail | -n | --since | --until | --detach-keys | \
		--time) return ;;
	--env | -e | --user | -u | --additional-gids | -g | --cap | -c | --cgroup | --preserve-fds | --interval | --process-label | \
		--apparmor | --blkio-weight | --cpu-* | --cpuset-* | --memory* | --kernel-memory* | --pids-limit | --*-schema) return ;;
	esac
	if [[ -z $opts ]]; then
		if [[ -z $verb ]]; then
			opts="$verbs $launched $images"
			[[ $cur != -* ]] || opts=$globals
		elif [[ $cur == -* ]]; then
			opts=${of[$verb]-}
		elif [[ $verb == help ]]; then
			opts="$verbs $launched $images"
		elif [[ $verb == kill && $positional -gt 0 ]]; then
			opts='TERM KILL INT HUP QUIT STOP CONT USR1 USR2 WINCH'
		elif [[ $verb == exec && $positional -gt 0 ]]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			return
		elif [[ " start exec kill delete state ps pause resume update events stats top commit " == *" $verb "* ]]; then
			opts=$(_ringfence_ids)
		elif [[ " $launched " == *" $verb "* ]]; then
			opts=$(_ringfence_launched)
			[[ $verb != generate || $positional -gt 0 ]] || opts=systemd
		elif [[ $verb == rm ]]; then
			opts=$(_ringfence_partitions)
		elif [[ $verb == bench ]]; then
			opts='start exec density scale overhead all compare plan clean report'
		elif [[ $verb == store ]]; then
			opts=check
		elif [[ " launch prepare pull inspect history tag untag rmi images save " == *" $verb "* ]]; then
			opts=$(_ringfence_images)
			[[ $verb != inspect ]] || opts+=" $(_ringfence_partitions)"
			# A name has a colon in it, which is a word break for readline.
			declare -F __ltrim_colon_completions >/dev/null && {
				cur=${COMP_LINE:0:COMP_POINT} && cur=${cur##* }
				mapfile -t COMPREPLY < <(compgen -W "$opts" -- "$cur")
				__ltrim_colon_completions "$cur"
				return
			}
		elif [[ $verb == load || $verb == import ]]; then
			compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return
		fi
	fi
	mapfile -t COMPREPLY < <(compgen -W "$opts" -- "$cur")
}
complete -F _ringfence ringfence
