/* SPDX-License-Identifier: Apache-2.0 */
/* config-vm.md: what a partition behind a guest kernel asks of its machine. Checked here, used by the sandbox
 * engine. */
#include "spec/parse.h"

#include "base/str.h"

#define AT(member) offsetof(struct spec_vm, member)

static const struct sp_field hypervisor_fields[] = {
	SP_MAY("path", sp_path_or_empty, AT(hypervisor_path), NULL),
	SP_MAY("parameters", sp_strv_or_null, AT(hypervisor_parameters), NULL),
	SP_END,
};

/* The Go bindings cannot leave an unused hypervisor or image out: they write it with an empty path. */
static int read_hypervisor(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_vm *vm = out;
	struct sp_at path = { .up = at, .name = "path" };
	int r = sp_object(p, at, j, hypervisor_fields, vm);

	if (r == 0 && vm->hypervisor_parameters && !vm->hypervisor_path)
		return sp_refuse(p, &path, " is required");
	return r;
}

static const struct sp_field kernel_fields[] = {
	SP_MUST("path", sp_path, AT(kernel_path), NULL),
	SP_MAY("parameters", sp_strv_or_null, AT(kernel_parameters), NULL),
	SP_MAY("initrd", sp_path_or_empty, AT(kernel_initrd), NULL),
	SP_END,
};

static const struct sp_field image_fields[] = {
	SP_MAY("path", sp_path_or_empty, AT(image_path), NULL),
	SP_MAY("format", sp_text, AT(image_format), NULL),
	SP_END,
};

static int read_image(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	static const char *const formats[] = { "raw", "qcow2", "vdi", "vmdk", "vhd", NULL };
	struct spec_vm *vm = out;
	struct sp_at path = { .up = at, .name = "path" }, format = { .up = at, .name = "format" };
	int r = sp_object(p, at, j, image_fields, vm);

	if (r < 0)
		return r;
	if (vm->image_format && !strv_has((char *const *)formats, vm->image_format))
		return sp_refuse(p, &format, ": unknown format %.100s; known are raw, qcow2, vdi, vmdk, vhd",
			vm->image_format);
	if (vm->image_format && !vm->image_path)
		return sp_refuse(p, &path, " is required");
	if (vm->image_path && !vm->image_format)
		return sp_refuse(p, &format, " is required");
	return 0;
}

/* --- hwConfig: checked, and kept as a tree -------------------------------------------------------------- */

struct iomem {
	uint64_t first_gfn, first_mfn, pages;
};

struct hardware {
	const char *device_tree;
	uint32_t vcpus;
	uint64_t memory;
	char **dtdevs;
	struct iomem *iomems;
	size_t n_iomems;
	uint32_t *irqs;
	size_t n_irqs;
};

static const struct sp_field iomem_fields[] = {
	SP_MAY("firstGFN", sp_u64, offsetof(struct iomem, first_gfn), NULL),
	SP_MAY("firstMFN", sp_u64, offsetof(struct iomem, first_mfn), NULL),
	SP_MAY("nrMFNs", sp_u64, offsetof(struct iomem, pages), NULL),
	SP_END,
};

static const struct sp_field hardware_fields[] = {
	SP_MAY("deviceTree", sp_path_or_empty, offsetof(struct hardware, device_tree), NULL),
	SP_MAY("vcpus", sp_u32, offsetof(struct hardware, vcpus), NULL),
	SP_MAY("memory", sp_u64, offsetof(struct hardware, memory), NULL),
	SP_MAY("dtdevs", sp_strv, offsetof(struct hardware, dtdevs), NULL),
	SP_MAY("iomems", sp_list, 0,
		SP_LIST(offsetof(struct hardware, iomems), offsetof(struct hardware, n_iomems),
			sizeof(struct iomem), sp_section, iomem_fields)),
	SP_MAY("irqs", sp_list, 0,
		SP_LIST(offsetof(struct hardware, irqs), offsetof(struct hardware, n_irqs), sizeof(uint32_t),
			sp_u32, NULL)),
	SP_END,
};

static int read_hardware(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const struct json **tree = out;
	struct hardware h = { 0 };
	int r = sp_object(p, at, j, hardware_fields, &h);

	if (r == 0)
		*tree = j;
	return r;
}

/* The text and the schema say hwConfig, the Go bindings write hwconfig. */
static const struct sp_field vm_fields[] = {
	SP_MAY("hypervisor", read_hypervisor, 0, NULL),
	SP_MUST("kernel", sp_section, 0, kernel_fields),
	SP_MAY("image", read_image, 0, NULL),
	SP_MAY("hwconfig", read_hardware, AT(hw_config), NULL),
	SP_MAY("hwConfig", read_hardware, AT(hw_config), NULL),
	SP_END,
};

int sp_vm(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_vm *vm = out;
	int r = sp_object(p, at, j, vm_fields, vm);

	vm->present = r == 0;
	return r;
}
